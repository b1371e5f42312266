#include "host/cpu/thread_team.h"

#include <gtest/gtest.h>

#include <atomic>
#include <system_error>
#include <vector>

#include "host/core/error.h"
#include "tests/data_testing.h"

namespace digitron {
namespace {

class ThreadTeamTest : public ::testing::TestWithParam<int> {};

// Plain ints: the barrier alone must order the threads' reads and writes.
TEST_P(ThreadTeamTest, NoneLeavesTheBarrierBeforeAllHaveCome) {
  constexpr int kRounds = 200;
  ThreadTeam team(GetParam());
  std::vector<int> round_of(size_t(team.size()));
  std::vector<int> early(size_t(team.size()));
  team.run([&](Worker worker) {
    for (int round = 1; round <= kRounds; ++round) {
      round_of[size_t(worker.index)] = round;
      team.barrier();
      for (const int other : round_of) early[size_t(worker.index)] += other != round;
      team.barrier();
    }
  });
  EXPECT_EQ(early, std::vector<int>(size_t(team.size())));
  EXPECT_EQ(round_of, std::vector<int>(size_t(team.size()), kRounds));
}

TEST_P(ThreadTeamTest, RunsEveryThreadOnceAndWaitsForAll) {
  ThreadTeam team(GetParam());
  ASSERT_EQ(team.size(), GetParam());
  std::vector<int> calls(size_t(team.size()));
  for (int run = 1; run <= 200; ++run) {
    team.run([&](Worker worker) { ++calls[size_t(worker.index)]; });
    ASSERT_EQ(calls, std::vector<int>(size_t(team.size()), run));
  }
}

TEST_P(ThreadTeamTest, RunsAsManyAsAreAskedFor) {
  ThreadTeam team(GetParam());
  std::vector<int> calls(size_t(team.size()));
  std::vector<int> expected(size_t(team.size()));
  for (int run = 0; run < 200; ++run) {
    const int threads = 1 + run % team.size();
    team.run(threads, [&](Worker worker) {
      team.barrier();
      calls[size_t(worker.index)] += worker.count;
    });
    for (int i = 0; i < threads; ++i) expected[size_t(i)] += threads;
    ASSERT_EQ(calls, expected);
  }
}

TEST_P(ThreadTeamTest, TheCallerIsThreadZero) {
  ThreadTeam team(GetParam());
  std::vector<std::thread::id> ids(size_t(team.size()));
  team.run([&](Worker worker) { ids[size_t(worker.index)] = std::this_thread::get_id(); });
  EXPECT_EQ(ids[0], std::this_thread::get_id());
  for (size_t i = 1; i < ids.size(); ++i) EXPECT_NE(ids[i], ids[0]);
}

TEST_P(ThreadTeamTest, EndsWithoutHavingRun) {
  for (int i = 0; i < 50; ++i) ThreadTeam team(GetParam());
}

// A system that allows `most` threads beside the caller, counted.
StartThread limited(int most, std::atomic<int>& ended) {
  return [most, &ended, started = 0](const std::function<void()>& serve) mutable {
    if (started++ == most) {
      throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
    }
    return std::thread([serve, &ended] {
      serve();
      ++ended;
    });
  };
}

TEST(ThreadTeamLimit, SaysHowManyOfHowManyAndEndsThem) {
  std::atomic<int> ended = 0;
  const std::string error =
      testing::error_of<MachineError>([&] { ThreadTeam(8, OnTooFew::kThrow, limited(4, ended)); });
  EXPECT_EQ(error,
            "only 5 of 8 threads could be started (Resource temporarily unavailable); take "
            "--threads 5 or fewer, or raise the limit on processes (ulimit -u, the cgroup's "
            "pids.max) or on memory (ulimit -v)");
  EXPECT_EQ(ended, 4);
}

TEST(ThreadTeamLimit, GoesOnWithThoseThatCouldBeStarted) {
  for (const int most : {0, 1, 4}) {
    std::atomic<int> ended = 0;
    {
      ThreadTeam team(8, OnTooFew::kGoOn, limited(most, ended));
      EXPECT_EQ(team.size(), most + 1);
      EXPECT_EQ(team.shortage(), "Resource temporarily unavailable");
      std::atomic<int> calls = 0;
      team.run([&](Worker worker) { calls += worker.count; });
      EXPECT_EQ(calls, (most + 1) * (most + 1));
    }
    EXPECT_EQ(ended, most);
  }
}

TEST(ThreadTeamLimit, IsNotFeltWhereAllStart) {
  std::atomic<int> ended = 0;
  EXPECT_EQ(ThreadTeam(5, OnTooFew::kThrow, limited(4, ended)).shortage(), "");
}

// More threads than cores included.
INSTANTIATE_TEST_SUITE_P(Sizes, ThreadTeamTest, ::testing::Values(1, 2, 3, 8, 17));

}  // namespace
}  // namespace digitron

#include "host/files/model_state.h"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <cstring>
#include <functional>
#include <map>

#include "host/core/error.h"
#include "host/files/json.h"
#include "tests/data_testing.h"

namespace digitron {
namespace {

using nlohmann::ordered_json;
using testing::error_of;
using ::testing::HasSubstr;
using testing::read_file;
using testing::TemporaryDirectory;
using testing::write_file;

// Names, types, shapes and places as torch.nn has them; load_state_dict is strict about them.
class RunningStatisticsTest : public ::testing::Test {
 protected:
  RunningStatisticsTest()
      : parameters_(initial_parameters(plan_, 1)), buffers_(plan_.buffer_floats) {
    for (const Buffer& buffer : plan_.buffers) {
      for (size_t i = 0; i < buffer.count; ++i) {
        buffers_[buffer.offset + i] = static_cast<float>(buffer.offset + i + 1);
      }
    }
    good_ = safetensors_bytes(plan_, {parameters_, buffers_, 938}, {});
    write_file(path_, good_);
  }

  void change(const std::function<void(ordered_json&)>& how) {
    const uint64_t old_length = length_of(good_);
    ordered_json header = ordered_json::parse(good_.substr(8, old_length));
    how(header);
    const std::string text = header.dump();
    const uint64_t length = text.size();
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &length, sizeof(length));
    write_file(path_, bytes + text + good_.substr(8 + old_length));
  }

  static uint64_t length_of(const std::string& bytes) {
    uint64_t length = 0;
    std::memcpy(&length, bytes.data(), sizeof(length));
    return length;
  }

  std::string load_error() {
    const std::string message = error_of<InputError>([&] { load_state(path_, plan_); });
    EXPECT_THAT(message, HasSubstr(path_.string()));
    EXPECT_THAT(message, HasSubstr("; ")) << "what to do";
    return message;
  }

  TemporaryDirectory directory_;
  std::filesystem::path path_ = directory_ / "model.safetensors";
  Plan plan_ = make_plan(parse_model("conv 2x5, bn, relu, maxpool 8, bn, fc 10"), 3);
  std::vector<float> parameters_, buffers_;
  std::string good_;
};

TEST_F(RunningStatisticsTest, ComeBackAsTheyWereWritten) {
  const ModelState state = load_state(path_, plan_);
  EXPECT_EQ(state.parameters, parameters_);
  EXPECT_EQ(state.buffers, buffers_);
  EXPECT_EQ(state.batches_tracked, 938);
  SafetensorsFile file(path_);
  ASSERT_EQ(file.tensors().size(), 14u);
  for (size_t i = 0; i < 2; ++i) {  // first, where 8 bytes are aligned
    EXPECT_EQ(file.tensors()[i].name, "bn" + std::to_string(i + 1) + ".num_batches_tracked");
    EXPECT_EQ(file.tensors()[i].dtype, "I64");
    EXPECT_EQ(file.tensors()[i].dims, std::vector<int64_t>{});
    EXPECT_EQ(file.tensors()[i].begin, 8 * i);
  }
  EXPECT_EQ(file.tensors()[13].name, "bn2.running_var");
  EXPECT_EQ(file.tensors()[13].dims, std::vector<int64_t>{2});
}

TEST_F(RunningStatisticsTest, OldFilesHaveNoCount) {
  change([](ordered_json& h) {
    h.erase("bn1.num_batches_tracked");
    h.erase("bn2.num_batches_tracked");
    for (auto& [name, entry] : h.items()) {
      if (name == "__metadata__") continue;
      for (auto& place : entry["data_offsets"]) place = place.get<int>() - 16;
    }
  });
  std::string bytes = read_file(path_);
  bytes.erase(8 + length_of(bytes), 16);
  write_file(path_, bytes);
  const ModelState state = load_state(path_, plan_);
  EXPECT_EQ(state.parameters, parameters_);
  EXPECT_EQ(state.buffers, buffers_);
  EXPECT_EQ(state.batches_tracked, 0);
}

TEST_F(RunningStatisticsTest, SequentialNamesGoByNumber) {
  change([](ordered_json& header) {
    ordered_json renamed;
    const std::map<std::string, std::string> numbers{
        {"conv1", "0"}, {"bn1", "1"}, {"bn2", "4"}, {"fc1", "6"}};
    for (auto& [name, entry] : header.items()) {
      const size_t dot = name.find('.');
      renamed[dot == std::string::npos ? name
                                       : numbers.at(name.substr(0, dot)) + name.substr(dot)] =
          entry;
    }
    header = renamed;
  });
  const ModelState state = load_state(path_, plan_);
  EXPECT_EQ(state.parameters, parameters_);
  EXPECT_EQ(state.buffers, buffers_);
}

TEST_F(RunningStatisticsTest, FilesThatDoNotFit) {
  change([](ordered_json& header) {
    header["other"] = header["bn2.running_mean"];
    header.erase("bn2.running_mean");
  });
  EXPECT_THAT(load_error(), HasSubstr("tensor bn2.running_mean is missing"));

  change([](ordered_json& header) { header["bn1.num_batches_tracked"]["shape"] = {1}; });
  EXPECT_THAT(load_error(), HasSubstr("bn1.num_batches_tracked has shape (1)"));
  change([](ordered_json& header) {
    header["bn1.num_batches_tracked"] = {
        {"dtype", "F32"}, {"shape", {2}}, {"data_offsets", {0, 8}}};
  });
  EXPECT_THAT(load_error(), HasSubstr("bn1.num_batches_tracked is of type F32, where"));
  change([](ordered_json& header) {
    header["bn1.running_var"]["dtype"] = "I64";
    header["bn1.running_var"]["shape"] = {1};
  });
  EXPECT_THAT(load_error(), HasSubstr("bn1.running_var is of type I64, where"));

  const Plan plain = make_plan(parse_model("conv 2x5, relu, maxpool 8, fc 10"), 3);
  write_file(path_, safetensors_bytes(plain, initial_state(plain, 1), {}));
  EXPECT_THAT(load_error(), HasSubstr("tensor bn1.weight is missing"));
}

TEST_F(RunningStatisticsTest, NoVarianceIsNegative) {
  buffers_[plan_.buffers[3].offset + 1] = -0.5f;
  write_file(path_, safetensors_bytes(plan_, {parameters_, buffers_, 1}, {}));
  EXPECT_THAT(load_error(), HasSubstr("bn2.running_var holds -0.500000 at index 1, but no"));
}

// The most that this process has had, in KiB.
long peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

TEST(LoadStateTest, TakesNoMemoryForWhatTheFileDoesNotHold) {
  const TemporaryDirectory directory;
  const std::filesystem::path path = directory / "model.safetensors";
  write_file(path, safetensors_bytes({}, {}));
  const Plan plan = make_plan(parse_model("fc 65536, fc 15000, fc 10"), 1);  // 4 GB
  const long before = peak_memory();
  EXPECT_THAT(error_of<InputError>([&] { load_state(path, plan); }),
              HasSubstr("tensor fc1.weight is missing"));
  EXPECT_LT(peak_memory() - before, 1 << 20);
}

}  // namespace
}  // namespace digitron

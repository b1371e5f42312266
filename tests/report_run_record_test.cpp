#include "host/files/run_record.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "tests/report_testing.h"

namespace digitron {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::TemporaryDirectory;
using testing::write_file;

class RunRecordTest : public ::testing::Test {
 protected:
  RunRecordTest() { testing::write_run(run(), "lenet5", 3, {0.9, 0.95}); }

  std::filesystem::path run() const { return directory_ / "run"; }
  void append_metrics(const std::string& text) {
    write_file(run() / "metrics.jsonl", testing::read_file(run() / "metrics.jsonl") + text);
  }

  TemporaryDirectory directory_;
};

TEST_F(RunRecordTest, WholeRun) {
  const RunRecord record = read_run(run());
  EXPECT_THAT(record.problems, IsEmpty());
  EXPECT_TRUE(record.has_description);
  EXPECT_EQ(record.model_name, "LeNet-5");
  ASSERT_TRUE(record.plan);
  EXPECT_EQ(record.plan->parameter_count, 61706u);
  EXPECT_EQ(record.state.parameters.size(), record.plan->parameter_floats);
  ASSERT_EQ(record.epochs.size(), 2u);
  EXPECT_EQ(record.epochs[1].epoch, 2);
  EXPECT_EQ(record.epochs[1].train_loss, 0.25);
  EXPECT_EQ(record.epochs[1].train_accuracy, 0.75);
  EXPECT_EQ(record.epochs[1].test_loss, 0.125);
  EXPECT_EQ(record.epochs[1].test_accuracy, 0.95);
  EXPECT_EQ(record.epochs[1].seconds, 1.5);
  EXPECT_EQ(record.epochs[1].images_per_second, 40000);
  EXPECT_EQ(record.text({"settings", "seed"}), "3");
  EXPECT_EQ(record.text({"settings", "max_steps"}), "") << "null";
  EXPECT_EQ(record.text({"settings", "seed", "deeper"}), "");
  EXPECT_EQ(record.text({"nothing", "there"}), "");
}

// One that was stopped between two epochs has whole ones alone, as one that has ended.
TEST_F(RunRecordTest, ARunHasEndedWithTheLastEpochOfItsSettings) {
  const auto ended = [&](int epochs, const nlohmann::json& settings) {
    auto description = testing::run_json("lenet5", 3, epochs);
    description["data"]["train_images"] = 100;
    description["settings"]["batch"] = 10;
    description["settings"].update(settings);
    write_file(run() / "run.json", description.dump());
    const RunRecord record = read_run(run());
    EXPECT_EQ(record.problems.empty(), record.has_ended());
    return record.has_ended();
  };
  EXPECT_TRUE(ended(2, {{"max_steps", nullptr}}));
  EXPECT_FALSE(ended(3, {{"max_steps", nullptr}}));
  EXPECT_TRUE(ended(3, {{"max_steps", 20}}));
  EXPECT_FALSE(ended(3, {{"max_steps", 21}}));
  EXPECT_TRUE(ended(2, {{"max_steps", 21}}));
}

TEST_F(RunRecordTest, NoSuchDirectory) {
  const RunRecord record = read_run(directory_ / "none");
  EXPECT_FALSE(record.has_description);
  EXPECT_THAT(record.problems, ElementsAre("There is no such directory."));
  EXPECT_EQ(record.text({"model", "name"}), "");
}

TEST_F(RunRecordTest, EmptyDirectory) {
  std::filesystem::create_directory(directory_ / "empty");
  const RunRecord record = read_run(directory_ / "empty");
  EXPECT_FALSE(record.has_description);
  EXPECT_THAT(record.problems, ElementsAre(HasSubstr("no run.json"), HasSubstr("no metrics.jsonl"),
                                           HasSubstr("no model.safetensors")));
}

TEST_F(RunRecordTest, DamagedDescriptionLeavesTheEpochs) {
  for (const std::string& bad : std::vector<std::string>{
           "", "{", "[1,2]", "7", "{\"model\":", std::string("\0\0", 2), std::string(100000, '['),
           "{\"a\":" + std::string(100000, '[') + std::string(100000, ']') + "}"}) {
    write_file(run() / "run.json", bad);
    const RunRecord record = read_run(run());
    EXPECT_TRUE(record.has_description);
    EXPECT_EQ(record.epochs.size(), 2u);
    EXPECT_FALSE(record.plan);
    EXPECT_THAT(record.problems, ElementsAre(HasSubstr("run.json is damaged")));
  }
}

TEST_F(RunRecordTest, ValuesOfAnyType) {
  for (const char* bad : {"null", "7", "[]", "{}", "\"x\"", "true", "1e999", "[{\"a\":[1]}]"}) {
    for (const char* key : {"model", "settings", "data", "device", "command", "precision"}) {
      write_file(run() / "run.json", std::string("{\"") + key + "\":" + bad + "}");
      const RunRecord record = read_run(run());
      EXPECT_EQ(record.epochs.size(), 2u) << key << bad;
      EXPECT_FALSE(record.problems.empty());
    }
  }
}

TEST_F(RunRecordTest, BytesThatAreNotUtf8) {
  write_file(run() / "run.json", "{\"model\":{\"id\":\"lenet5\"},\"device\":{\"cpu\":\"a\xFFz\"}}");
  const RunRecord record = read_run(run());
  EXPECT_EQ(record.text({"device", "cpu"}), "a\xEF\xBF\xBDz");
  EXPECT_EQ(record.model_name, "LeNet-5");
}

TEST_F(RunRecordTest, LineCutInHalfIsSkipped) {
  append_metrics(testing::epoch_line(3, 0.97).substr(0, 40));
  const RunRecord record = read_run(run());
  EXPECT_EQ(record.epochs.size(), 2u);
  EXPECT_THAT(record.problems, ElementsAre(HasSubstr("Line 3 of metrics.jsonl")));
}

TEST_F(RunRecordTest, StrangeEvents) {
  append_metrics(
      "{\"event\":\"step\",\"epoch\":1,\"step\":1,\"loss\":2.3}\n"
      "{\"event\":\"later version\"}\n"
      "{\"event\":\"epoch\",\"epoch\":\"three\"}\n"
      "{\"event\":\"epoch\",\"epoch\":0}\n"
      "{\"event\":\"epoch\",\"epoch\":1.5}\n"
      "{\"event\":\"epoch\",\"epoch\":1e300}\n"
      "\n"
      "{\"event\":\"epoch\",\"epoch\":2,\"train_loss\":\"x\",\"test_accuracy\":[]}\n"
      "{\"event\":\"epoch\",\"epoch\":2,\"train_loss\":1e999}\n"
      "{\"event\":\"epoch\",\"epoch\":2,\"train_loss\":1.7e308}\n");
  const RunRecord record = read_run(run());
  ASSERT_EQ(record.epochs.size(), 2u);
  EXPECT_FALSE(record.epochs[1].train_loss) << "the last word on an epoch counts";
  EXPECT_FALSE(record.epochs[1].test_accuracy);
  EXPECT_THAT(record.problems,
              ElementsAre(HasSubstr("Line 5"), HasSubstr("Line 6"), HasSubstr("Line 7"),
                          HasSubstr("Line 8"), HasSubstr("Line 9"), HasSubstr("Line 11")));
}

TEST_F(RunRecordTest, InterruptedRun) {
  append_metrics("{\"event\":\"epoch\",\"epoch\":3,\"train_loss\":0.1,\"interrupted\":true}\n");
  const RunRecord record = read_run(run());
  ASSERT_EQ(record.epochs.size(), 3u);
  EXPECT_TRUE(record.epochs[2].interrupted);
  EXPECT_THAT(record.problems, ElementsAre(HasSubstr("was interrupted in epoch 3")));
}

TEST_F(RunRecordTest, RunThatStoppedEarly) {
  write_file(run() / "run.json", testing::run_json("lenet5", 1, 10).dump());
  EXPECT_THAT(read_run(run()).problems, ElementsAre(HasSubstr("ends with epoch 2 of 10")));

  nlohmann::ordered_json limited = testing::run_json("lenet5", 1, 10);
  limited["settings"]["max_steps"] = 5;
  write_file(run() / "run.json", limited.dump());
  EXPECT_THAT(read_run(run()).problems, IsEmpty()) << "as it was asked to";
}

TEST_F(RunRecordTest, ModelOfAnotherVersion) {
  nlohmann::ordered_json later = testing::run_json("lenet5", 1, 2);
  later["model"]["text"] = "attention 8, fc 10";
  write_file(run() / "run.json", later.dump());
  const RunRecord record = read_run(run());
  EXPECT_FALSE(record.plan);
  EXPECT_EQ(record.model_name, "LeNet-5");
  EXPECT_THAT(record.problems, ElementsAre(HasSubstr("not known to this version")));
}

TEST_F(RunRecordTest, Checkpoints) {
  testing::write_run(directory_ / "mlp", "custom-mlp", 1, {0.9});
  std::filesystem::copy_file(directory_ / "mlp" / "model.safetensors", run() / "model.safetensors",
                             std::filesystem::copy_options::overwrite_existing);
  RunRecord record = read_run(run());
  EXPECT_THAT(record.state.parameters, IsEmpty());
  EXPECT_THAT(record.problems, ElementsAre(HasSubstr("checkpoint does not hold this run's model")));

  write_file(run() / "model.safetensors", "damaged");
  EXPECT_THAT(read_run(run()).state.parameters, IsEmpty());
  std::filesystem::remove(run() / "model.safetensors");
  EXPECT_THAT(read_run(run()).problems, ElementsAre(HasSubstr("There is no model.safetensors")));
}

TEST_F(RunRecordTest, ACheckpointOfAnotherRunIsNotShownAsThisOnes) {
  const Plan plan = make_plan(find_model("lenet5"), 1);
  const auto read_with = [&](const std::string& id_of_run, const Metadata& metadata) {
    nlohmann::ordered_json description = testing::run_json("lenet5", 1, 1);
    if (!id_of_run.empty()) description["id"] = id_of_run;
    write_file(run() / "run.json", description.dump());
    write_file(run() / "model.safetensors",
               safetensors_bytes(plan, initial_state(plan, 1), metadata));
    const ModelState state = load_state(run() / "model.safetensors", plan);
    EXPECT_EQ(is_of_another_run(run() / "model.safetensors", state),
              read_run(run()).state.parameters.empty());
    return read_run(run());
  };
  EXPECT_THAT(read_with("a", {{"run", "a"}}).state.parameters, Not(IsEmpty()));
  EXPECT_THAT(read_with("", {{"run", "a"}}).state.parameters, Not(IsEmpty())) << "an older run";
  EXPECT_THAT(read_with("a", {}).state.parameters, Not(IsEmpty()));
  const RunRecord record = read_with("a", {{"run", "b"}});
  EXPECT_THAT(record.state.parameters, IsEmpty());
  EXPECT_THAT(record.problems, Contains(HasSubstr("is of another run than run.json")));
}

// Reading a pipe that nobody writes to would never end.
TEST_F(RunRecordTest, FilesThatAreNoFiles) {
  for (const char* name : {"run.json", "metrics.jsonl", "model.safetensors"}) {
    std::filesystem::remove(run() / name);
    ASSERT_EQ(mkfifo((run() / name).c_str(), 0600), 0);
  }
  EXPECT_EQ(read_run(run()).problems.size(), 3u);
}

}  // namespace
}  // namespace digitron

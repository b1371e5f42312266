#include "host/files/json.h"
#include "host/files/model_state.h"

#include <gmock/gmock.h>

#include <cstring>
#include <functional>
#include <limits>

#include "host/core/error.h"
#include "host/files/checkpoint.h"
#include "tests/data_testing.h"

namespace digitron {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;
using testing::error_of;
using ::testing::HasSubstr;
using testing::read_file;
using testing::TemporaryDirectory;
using testing::write_file;

// Two layers with parameters; the sizes leave alignment gaps in the flat buffer.
Plan small_plan() {
  return make_plan(parse_model("conv 2x5, relu, maxpool 8, fc 10"), 3);
}

std::vector<float> numbered_parameters(const Plan& plan) {
  std::vector<float> flat(plan.parameter_floats, 0.0f);
  for (const Parameter& parameter : plan.parameters) {
    for (size_t i = 0; i < parameter.count; ++i) {
      flat[parameter.offset + i] = static_cast<float>(parameter.offset + i) * 0.5f - 7;
    }
  }
  return flat;
}

class SafetensorsTest : public ::testing::Test {
 protected:
  // A good file, its header changed by `change`; the data stays.
  void write_changed(const std::function<void(ordered_json&)>& change) {
    const std::string good =
        safetensors_bytes(plan_, {parameters_, {}}, {{"model", plan_.model.id}});
    uint64_t length = 0;
    std::memcpy(&length, good.data(), sizeof(length));
    ordered_json header = ordered_json::parse(good.substr(8, length));
    change(header);
    write_header(header.dump(), good.substr(8 + length));
  }

  void write_header(const std::string& header, const std::string& data = "") {
    const uint64_t length = header.size();
    std::string bytes(8, '\0');
    std::memcpy(bytes.data(), &length, sizeof(length));
    write_file(path_, bytes + header + data);
  }

  std::string load_error() {
    const std::string before = read_file(path_);
    const std::string message = error_of<InputError>([&] { load_state(path_, plan_); });
    EXPECT_THAT(message, HasSubstr(path_.string()));
    EXPECT_THAT(message, HasSubstr("; ")) << "what to do";
    EXPECT_TRUE(read_file(path_) == before);
    return message;
  }

  TemporaryDirectory directory_;
  std::filesystem::path path_ = directory_ / "model.safetensors";
  Plan plan_ = small_plan();
  std::vector<float> parameters_ = numbered_parameters(plan_);
};

TEST_F(SafetensorsTest, ComesBackAsItWasWritten) {
  const Metadata metadata{{"format", "pt"}, {"model", "lenet5"}, {"odd", "\"\n\\ \xc3\xa9"}};
  write_file(path_, safetensors_bytes(plan_, {parameters_, {}}, metadata));
  SafetensorsFile file(path_);
  EXPECT_EQ(file.metadata(), metadata);
  ASSERT_EQ(file.tensors().size(), 4u);
  EXPECT_EQ(file.tensors()[0].name, "conv1.weight");
  EXPECT_EQ(file.tensors()[0].dims, (std::vector<int64_t>{2, 1, 5, 5}));
  EXPECT_EQ(file.tensors()[3].name, "fc1.bias");
  EXPECT_EQ(load_state(file, plan_).parameters, parameters_);
}

TEST_F(SafetensorsTest, DataStartsAligned) {
  const std::string bytes = safetensors_bytes(plan_, {parameters_, {}}, {});
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof(length));
  EXPECT_EQ(length % 8, 0u);
  EXPECT_EQ(bytes.size(), 8 + length + 4 * plan_.parameter_count);
  EXPECT_EQ(bytes[8], '{');
}

TEST_F(SafetensorsTest, TensorsMayStandInAnyOrder) {
  write_changed([](ordered_json& header) {
    ordered_json turned;
    for (auto it = header.rbegin(); it != header.rend(); ++it) turned[it.key()] = it.value();
    header = turned;
  });
  EXPECT_EQ(load_state(path_, plan_).parameters, parameters_);
}

TEST_F(SafetensorsTest, SequentialNamesGoByNumber) {
  write_changed([](ordered_json& header) {
    header = {{"9.weight", header["conv1.weight"]},
              {"9.bias", header["conv1.bias"]},
              {"12.weight", header["fc1.weight"]},
              {"12.bias", header["fc1.bias"]}};
  });
  EXPECT_EQ(load_state(path_, plan_).parameters, parameters_);
}

TEST_F(SafetensorsTest, SequentialMissingTensorIsNamedAsInTheFile) {
  write_changed([](ordered_json& header) {
    header = {{"0.weight", header["conv1.weight"]},
              {"1.weight", header["conv1.bias"]},
              {"3.weight", header["fc1.weight"]},
              {"3.bias", header["fc1.bias"]}};
  });
  EXPECT_THAT(load_error(), HasSubstr("tensor 0.bias is missing"));
}

TEST_F(SafetensorsTest, NoSuchFile) {
  EXPECT_THAT(error_of<InputError>([&] { load_state(path_, plan_); }),
              HasSubstr("model.safetensors: no such file; check the path"));
  EXPECT_THAT(error_of<InputError>([&] { load_state(directory_.path(), plan_); }),
              HasSubstr("is not a file; give the path"));
}

// Each took seconds to minutes once, or the stack.
TEST_F(SafetensorsTest, HeadersNoModelHasAreRefusedAtOnce) {
  const auto error_with = [&](const std::string& header) {
    const uint64_t length = header.size();
    write_file(path_, std::string(reinterpret_cast<const char*>(&length), 8) + header);
    return load_error();
  };
  std::string many = "{";
  for (int i = 0; i < 40'000; ++i) many += "\"" + std::to_string(i) + "\":{},";
  many.back() = '}';
  EXPECT_THAT(error_with(many), HasSubstr("has more tensors than any model here"));
  EXPECT_THAT(error_with("{\"a\":" + std::string(80'000, '[') + std::string(80'000, ']') + "}"),
              HasSubstr("its header is not a JSON object"));
  EXPECT_THAT(error_with(std::string((16 << 20) + 1, ' ')), HasSubstr("its header would take"));
}

// Whatever is cut off, it is noticed: no length of the file but the whole loads.
TEST_F(SafetensorsTest, Truncated) {
  const std::string good = safetensors_bytes(plan_, {parameters_, {}}, {});
  for (size_t length = 0; length < good.size(); length += 13) {
    write_file(path_, good.substr(0, length));
    EXPECT_NE(load_error(), "") << length;
  }
  write_file(path_, "short");
  EXPECT_THAT(load_error(), HasSubstr("too short"));
  write_file(path_, good.substr(0, good.size() - 1));
  EXPECT_THAT(load_error(), HasSubstr("the file is damaged: copy or save it again"));
}

TEST_F(SafetensorsTest, HeaderBeyondTheFile) {
  for (const char* length : {"\xff\xff\xff\xff\xff\xff\xff\xff", "\xf8\xff\xff\xff\xff\xff\xff\x7f",
                             "\x09\x01\x01\x01\x01\x01\x01\x01"}) {
    write_file(path_, std::string(length, 8) + "{}      ");
    EXPECT_THAT(load_error(), HasSubstr("truncated or not in the safetensors format"));
  }
}

TEST_F(SafetensorsTest, HeaderThatIsNotAnObject) {
  for (const std::string header :
       {"", "not json", "[1, 2]", "{\"a\":", "\"text\"", "{} {}", "\xff\xfe", "{\"a\": 1e999}"}) {
    write_header(header);
    EXPECT_THAT(load_error(), HasSubstr("header is not a JSON object")) << header;
  }
  write_header(std::string(1 << 20, '['));
  EXPECT_THAT(load_error(), HasSubstr("header is not a JSON object"));
}

TEST_F(SafetensorsTest, EntriesThatAreNotTensors) {
  const json good = {{"dtype", "F32"}, {"shape", {1}}, {"data_offsets", {0, 4}}};
  std::vector<json> entries{1, nullptr, "text", json::array(), json::object()};
  const auto with = [&](const char* key, const json& value) {
    json entry = good;
    entry[key] = value;
    return entry;
  };
  for (const json& value :
       {json(1), json({-1}), json({1.5}), json({18446744073709551615ull}), json("F")}) {
    entries.push_back(with("shape", value));
    entries.push_back(with("data_offsets", value));
  }
  entries.push_back(with("dtype", 32));
  entries.push_back(with("data_offsets", {0, 4, 8}));
  for (const json& entry : entries) {
    write_header(json{{"fc1.bias", entry}}.dump(), "1234");
    EXPECT_THAT(load_error(), HasSubstr("tensor fc1.bias lacks a proper")) << entry;
  }
}

TEST_F(SafetensorsTest, OtherTypeIsNamed) {
  write_changed([](ordered_json& header) { header["fc1.weight"]["dtype"] = "BF16"; });
  EXPECT_THAT(load_error(), HasSubstr("tensor fc1.weight is of type BF16; save the model as F32"));
}

TEST_F(SafetensorsTest, OffsetsThatLie) {
  const auto offsets = [this](const char* name, json value) {
    write_changed([&](ordered_json& header) { header[name]["data_offsets"] = value; });
    return load_error();
  };
  EXPECT_THAT(offsets("conv1.weight", {0, 196}),
              HasSubstr("conv1.weight at bytes 0 to 196 does not fit"));
  EXPECT_THAT(offsets("conv1.weight", {200, 0}), HasSubstr("does not lie in the file's"));
  EXPECT_THAT(offsets("fc1.bias", {1000000, 1000040}), HasSubstr("fc1.bias at bytes 1000000"));
  EXPECT_THAT(offsets("fc1.bias", {INT64_MAX - 40, INT64_MAX}), HasSubstr("does not lie in"));
  EXPECT_THAT(offsets("conv1.bias", {192, 200}),
              HasSubstr("conv1.bias at bytes 192 to 200 overlaps"));
  EXPECT_THAT(offsets("conv1.weight", {8, 208}), HasSubstr("leaves a hole"));
}

TEST_F(SafetensorsTest, DataThatNoTensorCovers) {
  write_file(path_, safetensors_bytes(plan_, {parameters_, {}}, {}) + "more");
  EXPECT_THAT(load_error(), HasSubstr("bytes of data; the file is damaged"));
}

TEST_F(SafetensorsTest, ShapesThatOverflow) {
  for (const json& shape : {json({INT64_MAX, INT64_MAX}), json({INT64_MAX, 4, 2}),
                            json({int64_t{1} << 32, int64_t{1} << 30})}) {
    write_changed([&](ordered_json& header) { header["conv1.weight"]["shape"] = shape; });
    EXPECT_THAT(load_error(), HasSubstr("conv1.weight at bytes 0 to 200 does not fit its shape"));
  }
}

TEST_F(SafetensorsTest, SameNameTwice) {
  write_header(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
               R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})",
               "1234");
  EXPECT_THAT(load_error(), HasSubstr("tensor a is there twice"));
}

TEST_F(SafetensorsTest, MetadataOfOtherThanStrings) {
  write_changed([](ordered_json& header) { header["__metadata__"] = {{"epoch", 1}}; });
  EXPECT_THAT(load_error(), HasSubstr("__metadata__ is not a map of strings"));
}

TEST_F(SafetensorsTest, TensorsOfAnotherModel) {
  const Plan smaller = make_plan(parse_model("fc 10"), 1);
  write_file(path_, safetensors_bytes(smaller, {numbered_parameters(smaller), {}}, {}));
  EXPECT_THAT(load_error(), HasSubstr("tensor conv1.weight is missing"));

  const Plan wider = make_plan(parse_model("conv 3x5, relu, maxpool 8, fc 10"), 1);
  write_file(path_, safetensors_bytes(wider, {numbered_parameters(wider), {}}, {}));
  EXPECT_THAT(load_error(), HasSubstr("conv1.weight has shape (3, 1, 5, 5), where"));
  EXPECT_THAT(load_error(), HasSubstr("needs (2, 1, 5, 5)"));

  const Plan deeper = make_plan(parse_model("conv 2x5, relu, maxpool 8, fc 10, fc 10"), 1);
  write_file(path_, safetensors_bytes(deeper, {numbered_parameters(deeper), {}}, {}));
  EXPECT_THAT(load_error(), HasSubstr("tensor fc2.weight is one that"));
}

TEST_F(SafetensorsTest, ValuesThatAreNotNumbers) {
  for (const float bad :
       {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    std::vector<float> parameters = parameters_;
    parameters[plan_.parameters[2].offset + 5] = bad;
    write_file(path_, safetensors_bytes(plan_, {parameters, {}}, {}));
    EXPECT_THAT(load_error(),
                HasSubstr("tensor fc1.weight holds " + std::to_string(bad) + " at index 5"));
  }
}

// No byte of the header, changed, crashes the reader or gives other parameters without an error.
TEST_F(SafetensorsTest, AnyByteOfTheHeaderChanged) {
  const std::string good = safetensors_bytes(plan_, {parameters_, {}}, {});
  const size_t header_end = good.find("}}") + 2;
  for (size_t at = 0; at < header_end; ++at) {
    for (const char value : {'0', '"', '}', '\xff'}) {
      std::string bytes = good;
      bytes[at] = value;
      std::filesystem::remove(path_);  // writing anew is faster than writing over
      write_file(path_, bytes);
      try {
        EXPECT_EQ(load_state(path_, plan_).parameters, parameters_);
      } catch (const InputError&) {
      }
    }
  }
}

TEST_F(SafetensorsTest, CheckpointNamesItsModel) {
  write_file(path_, safetensors_bytes(plan_, {parameters_, {}}, {{"model", plan_.model.id}}));
  const Checkpoint checkpoint = load_checkpoint(path_, "", 5);
  EXPECT_EQ(checkpoint.plan.model.layers, plan_.model.layers);
  EXPECT_EQ(checkpoint.plan.batch, 5);
  EXPECT_EQ(checkpoint.state.parameters, parameters_);
}

TEST_F(SafetensorsTest, CheckpointWithoutAModel) {
  write_file(path_, safetensors_bytes(plan_, {parameters_, {}}, {}));
  EXPECT_EQ(load_checkpoint(path_, plan_.model.id, 1).state.parameters, parameters_);
  EXPECT_EQ(error_of<InputError>([&] { load_checkpoint(path_, "", 1); }),
            path_.string() + ": its metadata does not name the model; name it with --model");

  write_file(path_, safetensors_bytes(plan_, {parameters_, {}}, {{"model", "resnet"}}));
  const std::string message = error_of<InputError>([&] { load_checkpoint(path_, "", 1); });
  EXPECT_THAT(message, HasSubstr(path_.string()));
  EXPECT_THAT(message, HasSubstr("unknown model 'resnet'"));
  EXPECT_THAT(message, HasSubstr("--model"));
}

}  // namespace
}  // namespace digitron

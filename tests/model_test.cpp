#include "host/core/model.h"

#include <gmock/gmock.h>

#include <cmath>

#include "host/core/error.h"
#include "host/core/plan.h"
#include "tests/data_testing.h"
#include "tests/engine_testing.h"
#include "tests/models.h"

namespace digitron {
namespace {

using ::testing::AllOf;
using testing::error_of;
using ::testing::HasSubstr;
using testing::Random;
using ::testing::StartsWith;

TEST(ParseModel, EveryLayerAndOption) {
  const std::vector<Layer> expected{
      Conv2d{6, 5, 1, 2}, ReLU{},          MaxPool2d{2, 2},    Conv2d{8, 3, 2, 0},
      Conv2d{4, 1, 1, 0}, MaxPool2d{3, 1}, Conv2d{2, 3, 2, 1}, Linear{120},
      Linear{10}};
  EXPECT_EQ(parse_model("conv 6x5 pad 2, relu, maxpool 2, conv 8x3 stride 2, conv 4x1, "
                        "maxpool 3 stride 1, conv 2x3 pad 1 stride 2, fc 120, fc 10")
                .layers,
            expected);
}

TEST(ParseModel, SpacesAreFree) {
  const std::vector<Layer> layers = parse_model("conv 6x5 pad 2, relu, fc 10").layers;
  EXPECT_EQ(parse_model("conv 6x5 pad 2,relu,fc 10").layers, layers);
  EXPECT_EQ(parse_model("  conv  6x5\tpad  2 ,\n relu , fc 10 ").layers, layers);
  EXPECT_EQ(parse_model("conv6x5pad2,relu,fc10").layers, layers);
}

TEST(ParseModel, Regularisers) {
  const std::vector<Layer> expected{Dropout{0.5f}, BatchNorm2d{}, BatchNorm2d{},  Dropout{0.0f},
                                    Linear{10},    Dropout{0.1f}, Dropout{1e-10f}};
  const Model model =
      parse_model("dropout 0.5, bn ,bn,dropout 0, fc 10, dropout .1, dropout 1e-10");
  EXPECT_EQ(model.layers, expected);
  EXPECT_EQ(to_text(model), "dropout 0.5, bn, bn, dropout 0, fc 10, dropout 0.1, dropout 1e-10");
  EXPECT_EQ(parse_model(to_text(model)).layers, model.layers);
  EXPECT_EQ(to_text(parse_model("dropout -0, fc 10")), "dropout 0, fc 10");
}

TEST(ParseModel, Views) {
  const Model model = parse_model(" views 5 ,fc 10");
  EXPECT_EQ(model.views, 5);
  EXPECT_EQ(model.layers, std::vector<Layer>{Linear{10}});
  EXPECT_EQ(to_text(model), "views 5, fc 10");
  EXPECT_EQ(model.id, "views 5, fc 10");
  EXPECT_EQ(to_text(parse_model("views 1, fc 10")), "fc 10");
  EXPECT_EQ(find_model("lenet5-best").views, 5);
  EXPECT_EQ(find_model("lenet5").views, 1);
  const auto error = [](const char* text) {
    return error_of<InputError>([&] { parse_model(text); });
  };
  EXPECT_THAT(error("views 0, fc 10"), HasSubstr("column 7: a number here must be from 1 to 9"));
  EXPECT_THAT(error("views 10, fc 10"), HasSubstr("column 7: a number here must be from 1 to 9"));
  EXPECT_THAT(error("views, fc 10"), HasSubstr("column 6: expected a number of views"));
  EXPECT_THAT(error("views 2"), HasSubstr("column 8: expected ',' and layers"));
  EXPECT_THAT(error("fc 10, views 2"), HasSubstr("column 8: views come first"));
  EXPECT_THAT(error("views 2, views 2, fc 10"), HasSubstr("column 10: views come first"));
}

TEST(WithDropout, SetsEveryDropoutLayer) {
  EXPECT_EQ(to_text(with_dropout(lenet5_improved(), 0.25)),
            "conv 6x5 pad 2, relu, bn, maxpool 2, conv 16x5, relu, bn, maxpool 2, fc 120, relu, "
            "dropout 0.25, fc 84, relu, dropout 0.25, fc 10");
  EXPECT_EQ(with_dropout(lenet5_improved(), 0).id, "lenet5-improved");
  EXPECT_EQ(with_dropout(parse_model("dropout 0.5, fc 10"), 0.1).id, "dropout 0.1, fc 10");
  EXPECT_THAT(error_of<InputError>([] { with_dropout(lenet5(), 0.5); }),
              AllOf(HasSubstr("LeNet-5 has no dropout layer"), HasSubstr("lenet5-improved")));
  for (const double bad : {-0.1, 1.0, 1.0 - 1e-12, double{NAN}, double{INFINITY}}) {
    EXPECT_THAT(error_of<InputError>([&] { with_dropout(lenet5_improved(), bad); }),
                HasSubstr("give a number from 0 to below 1"));
  }
}

TEST(ParseModel, TextIsCanonical) {
  const Model model = parse_model(" conv 6x5 stride 1 pad 0,maxpool 2 stride 2,  fc 10");
  EXPECT_EQ(to_text(model), "conv 6x5, maxpool 2, fc 10");
  EXPECT_EQ(model.id, to_text(model));
  EXPECT_EQ(model.name, to_text(model));
  EXPECT_EQ(to_text(parse_model("avgpool 2 stride 2, avgpool 3 stride 1, fc 10")),
            "avgpool 2, avgpool 3 stride 1, fc 10");
  const Model other = parse_model("conv 6x5 pad 1 stride 2, relu, maxpool 3 stride 2, fc 10");
  EXPECT_EQ(to_text(other), "conv 6x5 stride 2 pad 1, relu, maxpool 3 stride 2, fc 10");
  EXPECT_EQ(parse_model(to_text(other)).layers, other.layers);
}

TEST(FindModel, NamesAndSpellings) {
  EXPECT_THAT(model_names(), ::testing::ElementsAre("lenet5", "custom-mlp", "lenet5-improved",
                                                    "lenet5-best", "mnist-99"));
  for (const char* name : {"lenet5", "LeNet-5", "lenet_5", "LENET5"}) {
    EXPECT_EQ(find_model(name).id, "lenet5") << name;
    EXPECT_EQ(find_model(name).name, "LeNet-5") << name;
    EXPECT_EQ(find_model(name).layers, lenet5().layers) << name;
  }
  for (const char* name : {"custom-mlp", "custom_mlp", "CustomMLP", "mlp"}) {
    EXPECT_EQ(find_model(name).name, "Custom MLP") << name;
    EXPECT_EQ(find_model(name).layers, custom_mlp().layers) << name;
  }
  for (const char* name : {"lenet5-improved", "LeNet-5_Improved", "lenet5improved"}) {
    EXPECT_EQ(find_model(name).name, "LeNet-5 Improved") << name;
    EXPECT_EQ(find_model(name).layers, lenet5_improved().layers) << name;
  }
  EXPECT_EQ(find_model("fc 30, relu, fc 10").id, "fc 30, relu, fc 10");
  EXPECT_EQ(find_model("fc 10").layers, std::vector<Layer>{Linear{10}});
}

TEST(FindModel, UnknownNameListsTheKnownOnes) {
  for (const char* name : {"lenet6", "", "resnet\n50", "\xff\x01"}) {
    EXPECT_THAT(error_of<InputError>([&] { find_model(name); }),
                AllOf(StartsWith("unknown model"), HasSubstr("lenet5"), HasSubstr("custom-mlp"),
                      HasSubstr("fc 10")));
  }
}

struct Malformed {
  const char* text;
  int column;
  const char* message;
};

void PrintTo(const Malformed& malformed, std::ostream* out) {
  *out << ::testing::PrintToString(std::string(malformed.text));
}

class MalformedModel : public ::testing::TestWithParam<Malformed> {};

TEST_P(MalformedModel, PointsAtTheColumn) {
  const Malformed& malformed = GetParam();
  const std::string error = error_of<InputError>([&] { parse_model(malformed.text); });
  EXPECT_THAT(error, StartsWith("model text, column " + std::to_string(malformed.column) + ": "));
  EXPECT_THAT(error, HasSubstr(malformed.message));
}

constexpr const char* kLayer = "expected conv, maxpool, avgpool, fc, relu, bn or dropout";
constexpr const char* kRange = "must be from 1 to 65536";
constexpr const char* kProbability = "must be from 0 to below 1";

INSTANTIATE_TEST_SUITE_P(
    Texts, MalformedModel,
    ::testing::Values(
        Malformed{"", 1, kLayer}, Malformed{"   ", 4, kLayer}, Malformed{"con 6x5", 1, kLayer},
        Malformed{"relu, dropouts", 7, kLayer}, Malformed{"Relu", 1, kLayer},
        Malformed{"fc 10,", 7, kLayer}, Malformed{"fc 10,,", 7, kLayer},
        Malformed{"5x5", 1, kLayer}, Malformed{"relu\xff", 5, "expected ','"},
        Malformed{"relu relu", 6, "expected ','"}, Malformed{"fc 10 20", 7, "expected ','"},
        Malformed{"fc 10; relu", 6, "expected ','"}, Malformed{"fc 10.5", 6, "expected ','"},
        Malformed{"fc", 3, "number of outputs"}, Malformed{"fc , relu", 4, "number of outputs"},
        Malformed{"fc ten", 4, "number of outputs"}, Malformed{"fc +10", 4, "number of outputs"},
        Malformed{"fc 0", 4, kRange}, Malformed{"fc -3", 4, kRange},
        Malformed{"fc 65537", 4, kRange}, Malformed{"fc 99999999999999999999", 4, kRange},
        Malformed{"conv", 5, "channels x kernel"}, Malformed{"conv 6", 7, "channels x kernel"},
        Malformed{"conv x5", 6, "channels x kernel"}, Malformed{"conv 6x", 8, "kernel size"},
        Malformed{"conv 6xx5", 8, "kernel size"}, Malformed{"conv 0x5", 6, kRange},
        Malformed{"conv 6x0", 8, kRange}, Malformed{"conv 6x5 pad", 13, "a padding"},
        Malformed{"conv 6x5 pad -1", 14, "must be from 0 to 65536"},
        Malformed{"conv 6x5 stride 0", 17, kRange},
        Malformed{"conv 6x5 padding 2", 10, "stride and pad"},
        Malformed{"relu, conv 6x5 stride 2 dilation 2", 25, "stride and pad"},
        Malformed{"maxpool", 8, "window size"}, Malformed{"maxpool 0", 9, kRange},
        Malformed{"maxpool 2 stride", 17, "a stride"},
        Malformed{"avgpool", 8, "a window size, as in 'avgpool 2'"},
        Malformed{"avgpool 2 pad 1", 11, "avgpool knows the option stride"},
        Malformed{"fc 12, avgpool 1", 8, "'avgpool 1' needs an image"},
        Malformed{"maxpool 2 pad 1", 11, "the option stride"}, Malformed{"bn 2", 4, "expected ','"},
        Malformed{"relu, dropout", 14, "a probability"},
        Malformed{"dropout , bn", 9, "a probability"}, Malformed{"dropout x", 9, "a probability"},
        Malformed{"relu, dropout 5", 15, kProbability}, Malformed{"dropout 1", 9, kProbability},
        Malformed{"dropout 0.999999999", 9, kProbability},
        Malformed{"dropout -0.1", 9, kProbability}, Malformed{"dropout nan", 9, kProbability},
        Malformed{"dropout inf", 9, kProbability}, Malformed{"dropout 1e99", 9, kProbability},
        Malformed{"dropout 0.5 0.5", 13, "expected ','"}));

// Shapes that do not work out: the column of the layer that is at fault.
INSTANTIATE_TEST_SUITE_P(
    Shapes, MalformedModel,
    ::testing::Values(
        Malformed{"conv 6x29", 1, "'conv 6x29' does not fit an input of side 28"},
        Malformed{"conv 6x5, relu,  conv 6x25", 18, "does not fit an input of side 24"},
        Malformed{"conv 6x5, maxpool 25", 11, "'maxpool 25' does not fit an input of side 24"},
        Malformed{"fc 120, conv 6x1", 9, "needs an image"},
        Malformed{"fc 120, relu, bn", 15, "'bn' needs an image"},
        Malformed{"relu, fc 120, relu, maxpool 1", 21, "needs an image"},
        Malformed{"conv 65536x1, fc 10", 1, "values a sample"},
        Malformed{"relu, conv 1x1 pad 65536", 7, "values a sample"},
        // Little comes out of these, but what goes in with its padding would not fit in memory.
        Malformed{"relu, conv 1x1 stride 65536 pad 65536", 7, "values a sample"},
        Malformed{"conv 8x65536 pad 65536 stride 65536, fc 10", 1, "values a sample"},
        // A winner's place in its window is stored in 16 bits.
        Malformed{"conv 1x1 pad 200, maxpool 400", 19, "at most 255"}));

// What a parser must do with any text at all: a model that its canonical text gives again, or one
// line that says what is wrong. The plan that follows may refuse the model, but likewise.
void expect_model_or_input_error(const std::string& text) {
  try {
    const Model model = parse_model(text);
    ASSERT_EQ(parse_model(to_text(model)).layers, model.layers);
    make_plan(model, 3);
  } catch (const InputError& error) {
    ASSERT_EQ(std::string_view(error.what()).find('\n'), std::string_view::npos) << error.what();
  }
}

TEST(ParseModelFuzz, StringsOfTokens) {
  const std::vector<std::string> tokens{"conv",      "maxpool",
                                        "fc",        "relu",
                                        "bn",        "dropout",
                                        "0.5",       "stride",
                                        "pad",       "x",
                                        ",",         ", ",
                                        " ",         "\t",
                                        "\n",        "0",
                                        "1",         "2",
                                        "3",         "5",
                                        "10",        "28",
                                        "255",       "6x5",
                                        "10x28",     "65536",
                                        "65537",     "-1",
                                        "1e9",       "2147483648",
                                        "conv 6x5",  "conv 65536x65536",
                                        "pad 65536", "stride 65536",
                                        "maxpool 2", "fc 10"};
  Random random(21);
  for (int i = 0; i < 30'000; ++i) {
    std::string text;
    for (int length = random.between(0, 20); length > 0; --length) {
      text += tokens[size_t(random.between(0, int(tokens.size()) - 1))];
      if (random.chance(60)) text += random.chance(70) ? " " : ", ";
    }
    ASSERT_NO_FATAL_FAILURE(expect_model_or_input_error(text)) << text;
  }
}

TEST(ParseModelFuzz, RandomBytesAndSpoiledTexts) {
  Random random(22);
  for (int i = 0; i < 30'000; ++i) {
    std::string text = i % 2 ? to_text(lenet5()) : std::string(size_t(random.between(0, 40)), ' ');
    const int spoiled = i % 2 ? random.between(1, 4) : int(text.size());
    for (int n = 0; n < spoiled; ++n) {
      const auto at = i % 2 ? random.between(0, int(text.size()) - 1) : n;
      text[size_t(at)] = static_cast<char>(random.between(0, 255));
    }
    ASSERT_NO_FATAL_FAILURE(expect_model_or_input_error(text));
    try {
      find_model(text);
    } catch (const InputError&) {
    }
  }
}

}  // namespace
}  // namespace digitron

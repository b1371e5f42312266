#include "host/text/nearest.h"

#include <gtest/gtest.h>

namespace digitron {
namespace {

const std::vector<std::string> kWords{"train", "eval", "report", "--epochs", "--ema", "--seed"};

TEST(NearestTest, FindsWhatWasMeant) {
  EXPECT_EQ(nearest("tarin", kWords), "train") << "swapped";
  EXPECT_EQ(nearest("trai", kWords), "train") << "too few";
  EXPECT_EQ(nearest("reeport", kWords), "report") << "too many";
  EXPECT_EQ(nearest("evel", kWords), "eval") << "a wrong one";
  EXPECT_EQ(nearest("--eopchs", kWords), "--epochs");
  EXPECT_EQ(nearest("-epochs", kWords), "--epochs");
  EXPECT_EQ(nearest("--em", kWords), "--ema");
  EXPECT_EQ(did_you_mean("--sed", kWords), " (did you mean --seed?)");
}

TEST(NearestTest, DoesNotGuess) {
  for (const std::string& typed : {std::string(), std::string("x"), std::string("fetch"),
                                   std::string("--threads"), std::string(1'000'000, 'e')}) {
    EXPECT_EQ(did_you_mean(typed, kWords), "") << typed.substr(0, 20);
  }
  EXPECT_EQ(nearest("train", {}), "");
}

}  // namespace
}  // namespace digitron

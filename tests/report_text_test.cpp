#include "host/text/text.h"

#include <gmock/gmock.h>

namespace digitron {
namespace {

constexpr const char* kBad = "\xEF\xBF\xBD";

TEST(ReportTextTest, WellFormedUtf8Stays) {
  for (const std::string text : {"", "plain\ttext\n", "\u00e9\u20ac\U0001F600", "\U0010FFFF"}) {
    EXPECT_EQ(valid_utf8(text), text);
  }
}

TEST(ReportTextTest, EveryKindOfMalformedUtf8IsReplaced) {
  const std::string bad = kBad;
  EXPECT_EQ(valid_utf8("a\xFF"
                       "b"),
            "a" + bad + "b");
  EXPECT_EQ(valid_utf8("\x80"), bad) << "a continuation alone";
  EXPECT_EQ(valid_utf8("\xC3"), bad) << "cut off";
  EXPECT_EQ(valid_utf8("\xE2\x82"
                       "a"),
            bad + bad + "a");
  EXPECT_EQ(valid_utf8("\xC0\xBC"), bad + bad) << "'<' in two bytes";
  EXPECT_EQ(valid_utf8("\xE0\x80\xBC"), bad + bad + bad) << "'<' in three bytes";
  EXPECT_EQ(valid_utf8("\xED\xA0\x80"), bad + bad + bad) << "a surrogate";
  EXPECT_EQ(valid_utf8("\xF4\x90\x80\x80"), bad + bad + bad + bad) << "beyond U+10FFFF";
  EXPECT_EQ(valid_utf8("\xEF\xBF\xBF"), bad + bad + bad) << "no character in XML";
}

TEST(ReportTextTest, OneLineHasNoControlCharacters) {
  EXPECT_EQ(one_line(std::string("a\n\r\t\0\x7f\xC2\x85z", 9)), "a      z");
}

TEST(ReportTextTest, ATerminalIsGivenNoControlCharacters) {
  EXPECT_EQ(terminal_text("a\n\t\x1b[2J\x7f\xC2\x9Bz\x9B\n"), "a\n  [2J  z\xEF\xBF\xBD\n");
}

TEST(ReportTextTest, ALongMessageKeepsItsBeginningAndItsEnd) {
  EXPECT_EQ(message_line("what\n; where"), "what ; where");
  const std::string accents = "\u00e9\u00e9\u00e9\u00e9";
  for (const std::string odd : {"", "+"}) {  // of the cuts, one within a character
    std::string text = "unknown '" + odd;
    while (text.size() < 10'000'000) text += accents;
    const std::string line = message_line(text + "'; use one of lenet5");
    EXPECT_LT(line.size(), 5000u);
    EXPECT_THAT(line, ::testing::StartsWith("unknown '" + odd + accents));
    EXPECT_THAT(line, ::testing::HasSubstr("\u00e9 \u2026 \u00e9"));
    EXPECT_THAT(line, ::testing::EndsWith(accents + "'; use one of lenet5"));
  }
}

TEST(ReportTextTest, HtmlIsInert) {
  EXPECT_EQ(html_text("<script>\"&'</script>"), "&lt;script&gt;&quot;&amp;&#39;&lt;/script&gt;");
}

TEST(ReportTextTest, MarkdownIsInert) {
  EXPECT_EQ(markdown_text("a|b"), "a\\|b");
  EXPECT_EQ(markdown_text("<b> &amp;"), "&lt;b&gt; &amp;amp;");
  EXPECT_EQ(markdown_text("[x](y) `z` *s* _u_"), "\\[x\\](y) \\`z\\` \\*s\\* \\_u\\_");
  EXPECT_EQ(markdown_text("- item - no item"), "\\- item - no item");
  EXPECT_EQ(markdown_text("# head\n# two"), "\\# head \\# two");
  EXPECT_EQ(markdown_text("\\"), "\\\\");
}

TEST(ReportTextTest, GnuplotStringsEndWhereTheyShould) {
  EXPECT_EQ(gnuplot_text("it's"), "'it\u2019s'");
  EXPECT_EQ(gnuplot_text("a\n'; exit"), "'a \u2019; exit'");
}

TEST(ReportTextTest, ShortenedCountsCharactersAndNotBytes) {
  EXPECT_EQ(shortened("\u00e9\u00e9\u00e9", 3), "\u00e9\u00e9\u00e9");
  EXPECT_EQ(shortened("\u00e9\u00e9\u00e9\u00e9", 3), "\u00e9\u00e9\u2026");
  EXPECT_EQ(shortened("", 3), "");
}

TEST(ReportTextTest, SlugsAreFileNames) {
  EXPECT_EQ(slug("LeNet-5 (lr 0.1)", 40), "lenet-5-lr-0-1");
  EXPECT_EQ(slug("../../etc", 40), "etc");
  EXPECT_EQ(slug("conv 6x5", 5), "conv");
  EXPECT_EQ(slug("\u00e9/", 40), "");
}

// RFC 4648, section 10.
TEST(ReportTextTest, Base64) {
  EXPECT_EQ(base64(""), "");
  EXPECT_EQ(base64("f"), "Zg==");
  EXPECT_EQ(base64("fo"), "Zm8=");
  EXPECT_EQ(base64("foo"), "Zm9v");
  EXPECT_EQ(base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(base64("\xFF\xFE\xFD"), "//79");
  EXPECT_EQ(png_uri("foo"), "data:image/png;base64,Zm9v");
}

}  // namespace
}  // namespace digitron

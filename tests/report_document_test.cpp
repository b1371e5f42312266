#include <gmock/gmock.h>

#include "host/data/png_image.h"
#include "host/report/html.h"
#include "host/report/markdown.h"

namespace digitron {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// Every kind of block with the same text everywhere.
Document document_of(const std::string& text) {
  Document document;
  document.title = document.subtitle = text;
  document.blocks.emplace_back(Notice{text});
  document.blocks.emplace_back(Heading{2, text});
  document.blocks.emplace_back(Paragraph{text});
  document.blocks.emplace_back(
      Table{text, "lr", {{text, text}, {text, text}}, true, {{}, {0, -0.5}}});
  document.blocks.emplace_back(Facts{{{text, text}}});
  document.blocks.emplace_back(Pictures{{{"<svg viewBox=\"0 0 1 1\"></svg>\n", text}}});
  const std::string png = grey_png(1, 1, std::vector<uint8_t>{7});
  document.blocks.emplace_back(Tiles{text, {{png, text, text}, {png, text, ""}}, 56});
  document.blocks.emplace_back(Columns{{Paragraph{text}}, {Paragraph{text}}});
  document.blocks.emplace_back(Folded{text, {Heading{3, text}, Paragraph{text}}});
  return document;
}

TEST(HtmlTest, OnePageWithEverything) {
  const std::string html = to_html(document_of("words"));
  EXPECT_THAT(html, StartsWith("<!DOCTYPE html>"));
  EXPECT_THAT(html, EndsWith("</html>\n"));
  EXPECT_THAT(html, HasSubstr("<meta charset=\"utf-8\">"));
  EXPECT_THAT(html, HasSubstr("<h2 id=\"part-1\">words</h2>"));
  EXPECT_THAT(html, HasSubstr("<a href=\"#part-1\">words</a>"));
  EXPECT_THAT(html, HasSubstr("<thead><tr><th>words</th><th class=\"r\">words</th></tr></thead>"));
  EXPECT_THAT(html, HasSubstr("<tr class=\"total\"><td>words</td><td class=\"r\" "
                              "style=\"background:rgba(var(--error),0.500)\">words</td></tr>"));
  EXPECT_THAT(html, HasSubstr("<dt>words</dt><dd>words</dd>"));
  EXPECT_THAT(html, HasSubstr("<svg role=\"img\" aria-label=\"words\" viewBox"));
  EXPECT_THAT(html, HasSubstr("<img src=\"data:image/png;base64,"));
  EXPECT_THAT(html, HasSubstr("<p class=\"notice\""));
  EXPECT_THAT(
      html, HasSubstr("<div class=\"columns\">\n<div>\n<p>words</p>\n</div>\n<div>\n<p>words</p>\n"
                      "</div>\n</div>"));
  EXPECT_THAT(html, HasSubstr("<details>\n<summary>words</summary>\n<h3>words</h3>\n<p>words</p>\n"
                              "</details>"));
}

TEST(HtmlTest, NeedsNothingElse) {
  const std::string html = to_html(document_of("words"));
  for (const char* outside : {"<script", "<link", "@import", "url(", "src=\"http", "href=\"http",
                              "src=\"/", "src=\"report", "javascript:"}) {
    EXPECT_THAT(html, Not(HasSubstr(outside)));
  }
}

TEST(HtmlTest, ADigitToDraw) {
  Document document;
  document.blocks.emplace_back(DrawDigit{"</script>words", R"({"a":"</script><!--"})"});
  const std::string html = to_html(document);
  EXPECT_THAT(html, HasSubstr("<p>&lt;/script&gt;words</p>"));
  EXPECT_THAT(html,
              HasSubstr(R"(<script type="application/json">{"a":"\u003c/script>\u003c!--"}<)"));
  EXPECT_THAT(html, HasSubstr("function prepareDigit(image) {"));
  EXPECT_THAT(html, EndsWith("</script>\n</body>\n</html>\n"));
  EXPECT_THAT(html, Not(HasSubstr("<script src")));
  EXPECT_THAT(to_markdown(document, "report.html"), HasSubstr("words](report.html)"));
}

TEST(HtmlTest, TextIsInert) {
  const std::string html = to_html(document_of("</title><script>\"'&\xFF\x01"));
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, HasSubstr("&lt;/title&gt;&lt;script&gt;&quot;&#39;&amp;\xEF\xBF\xBD </title>"));
}

TEST(MarkdownTest, OnePageThatLeadsToThePictures) {
  const std::string page = to_markdown(document_of("words"), "report.html");
  EXPECT_EQ(page,
            "# words\n\nwords\n\n> **words**\n\n## words\n\nwords\n\n"
            "| words | words |\n|---|---:|\n| words | words |\n\nwords\n\n"
            "- words: words\n\n[words](report.html)\n\n[words](report.html)\n\n"
            "words\n\nwords\n\n### words\n\n### words\n\nwords\n\n");
}

TEST(MarkdownTest, TextIsInert) {
  const std::string page = to_markdown(document_of("a|<script>\n# [x](y)"), "report.html");
  EXPECT_THAT(page, HasSubstr("| a\\|&lt;script&gt; \\# \\[x\\](y) |"));
  EXPECT_THAT(page, HasSubstr("[a\\|&lt;script&gt; \\# \\[x\\](y)](report.html)"));
  EXPECT_THAT(page, Not(HasSubstr("<script")));
  EXPECT_THAT(page, Not(HasSubstr("\n\\#")));
}

}  // namespace
}  // namespace digitron

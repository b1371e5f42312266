#include "host/report/markdown.h"

#include <spdlog/fmt/fmt.h>

#include "host/text/text.h"

namespace digitron {

namespace {

class MarkdownWriter {
 public:
  explicit MarkdownWriter(std::string html_page) : html_page_(std::move(html_page)) {}

  std::string operator()(const Heading& heading) const {
    return std::string(static_cast<size_t>(heading.level), '#') + " " +
           markdown_text(heading.text) + "\n\n";
  }

  std::string operator()(const Paragraph& paragraph) const {
    return markdown_text(paragraph.text) + "\n\n";
  }

  std::string operator()(const Notice& notice) const {
    return fmt::format("> **{}**\n\n", markdown_text(notice.text));
  }

  std::string operator()(const Table& table) const {
    return format_markdown(table.rows, table.alignment) + "\n" +
           (table.caption.empty() ? "" : markdown_text(table.caption) + "\n\n");
  }

  std::string operator()(const Facts& facts) const {
    std::string text;
    for (const auto& [name, value] : facts.rows) {
      text += fmt::format("- {}: {}\n", markdown_text(name), markdown_text(value));
    }
    return text + "\n";
  }

  std::string operator()(const Pictures& pictures) const {
    std::string text;
    for (const Picture& picture : pictures.pictures) text += link(picture.caption);
    return text;
  }

  std::string operator()(const Tiles& tiles) const { return link(tiles.caption); }

  std::string operator()(const Columns& columns) const {
    return all(columns.first) + all(columns.second);
  }

  std::string operator()(const Folded& folded) const {
    return (*this)(Heading{3, folded.title}) + all(folded.blocks);
  }

  std::string operator()(const DrawDigit& draw) const { return link(draw.caption); }

 private:
  std::string all(const std::vector<DocumentBlock>& blocks) const {
    std::string text;
    for (const DocumentBlock& block : blocks) text += std::visit(*this, block);
    return text;
  }

  std::string link(const std::string& caption) const {
    return fmt::format("[{}]({})\n\n", markdown_text(caption), html_page_);
  }

  std::string html_page_;
};

}  // namespace

std::string to_markdown(const Document& document, const std::string& html_page) {
  std::string text = fmt::format("# {}\n\n{}\n\n", markdown_text(document.title),
                                 markdown_text(document.subtitle));
  const MarkdownWriter writer(html_page);
  for (const DocumentBlock& block : document.blocks) text += std::visit(writer, block);
  return text;
}

}  // namespace digitron

#include "host/report/markdown.h"

#include <spdlog/fmt/fmt.h>

#include "host/text/text.h"

namespace digitron {

namespace {

std::string table_row(const Row& row) {
  std::string text = "|";
  for (const std::string& cell : row) text += fmt::format(" {} |", markdown_text(cell));
  return text + "\n";
}

// On a light ground of its own: a page may be dark, and its style does not reach into the file.
std::string standalone(std::string svg) {
  const size_t inside = svg.find('>') + 1;
  svg.insert(inside, "\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>");
  return "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n" + svg;
}

class MarkdownWriter {
 public:
  MarkdownWriter(std::string prefix, std::map<std::string, std::string>& files)
      : prefix_(std::move(prefix)), files_(files) {}

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
    std::string text;
    for (size_t i = 0; i < table.rows.size(); ++i) {
      text += table_row(table.rows[i]);
      if (i > 0) continue;
      text += "|";
      for (const char c : table.alignment) text += c == 'r' ? "---:|" : "---|";
      text += "\n";
    }
    return text + "\n" + (table.caption.empty() ? "" : markdown_text(table.caption) + "\n\n");
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
    for (const Picture& picture : pictures.pictures) {
      std::string svg = picture.svg;
      svg.insert(svg.find("<svg") + 4, " width=\"640\"");  // in a page it takes what there is
      text += image(picture.name, picture.caption, standalone(svg));
    }
    return text;
  }

  std::string operator()(const Tiles& tiles) const {
    std::string caption = markdown_text(tiles.caption) + "\n\n";
    if (tiles.tiles.empty()) return caption;
    return caption + image(tiles.name, tiles.caption, standalone(tiles_svg(tiles)));
  }

 private:
  std::string image(const std::string& name, const std::string& caption, std::string svg) const {
    const std::string file = prefix_ + name + ".svg";
    files_[file] = std::move(svg);
    return fmt::format("![{}]({})\n\n", markdown_text(caption), file);
  }

  std::string prefix_;
  std::map<std::string, std::string>& files_;
};

}  // namespace

std::string tiles_svg(const Tiles& tiles) {
  constexpr int kGap = 24;
  constexpr int kWidth = 960;
  constexpr int kLine = 16;
  const bool has_detail = !tiles.tiles.empty() && !tiles.tiles[0].detail.empty();
  const int column = tiles.side + kGap;
  const int row = tiles.side + (has_detail ? 2 : 1) * kLine + kGap / 2;
  const int columns = kWidth / column;
  const int count = static_cast<int>(tiles.tiles.size());
  const int rows = (count + columns - 1) / columns;
  std::string text = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} "
      "{1}\" font-family=\"system-ui, sans-serif\" font-size=\"12\" text-anchor=\"middle\">\n",
      std::min(count, columns) * column, rows * row);
  for (int i = 0; i < count; ++i) {
    const Tile& tile = tiles.tiles[static_cast<size_t>(i)];
    const int middle = i % columns * column + column / 2;
    const int top = i / columns * row + kGap / 4;
    text += fmt::format(
        "<image x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" style=\"image-rendering:pixelated\" "
        "href=\"{}\"/>\n<text x=\"{}\" y=\"{}\">{}</text>\n",
        middle - tiles.side / 2, top, tiles.side, tiles.side, png_uri(tile.png), middle,
        top + tiles.side + 14, html_text(tile.caption));
    if (tile.detail.empty()) continue;
    text += fmt::format("<text x=\"{}\" y=\"{}\" fill=\"#666\">{}</text>\n", middle,
                        top + tiles.side + 28, html_text(tile.detail));
  }
  return text + "</svg>\n";
}

MarkdownPage to_markdown(const Document& document, const std::string& prefix) {
  MarkdownPage page;
  page.text = fmt::format("# {}\n\n{}\n\n", markdown_text(document.title),
                          markdown_text(document.subtitle));
  MarkdownWriter writer(prefix, page.files);
  for (const Block& block : document.blocks) page.text += std::visit(writer, block);
  return page;
}

}  // namespace digitron

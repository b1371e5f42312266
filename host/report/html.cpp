#include "host/report/html.h"

#include <spdlog/fmt/fmt.h>

#include <cmath>

#include "host/report/html_style.h"
#include "host/text/text.h"

namespace digitron {

namespace {

std::string row_html(const Row& row, const Table& table, const std::string& tag,
                     const std::vector<double>& shade) {
  std::string text;
  for (size_t i = 0; i < row.size(); ++i) {
    const bool shaded = i < shade.size() && shade[i] != 0;
    // The sign says which colour.
    const std::string style =
        shaded ? fmt::format(" style=\"background:rgba(var(--{}),{:.3f})\"",
                             shade[i] < 0 ? "error" : "right", std::abs(shade[i]))
               : "";
    text += fmt::format("<{0}{1}{2}>{3}</{0}>", tag,
                        table.alignment[i] == 'r' ? " class=\"r\"" : "", style, html_text(row[i]));
  }
  return text;
}

std::string caption(const std::string& text) {
  return "<figcaption>" + html_text(text) + "</figcaption>";
}

class HtmlWriter {
 public:
  std::string operator()(const Heading& heading) {
    const std::string id = heading.level == 2 ? fmt::format(" id=\"part-{}\"", ++parts_) : "";
    return fmt::format("<h{0}{1}>{2}</h{0}>\n", heading.level, id, html_text(heading.text));
  }

  std::string operator()(const Paragraph& paragraph) const {
    return "<p>" + html_text(paragraph.text) + "</p>\n";
  }

  std::string operator()(const Notice& notice) const {
    return R"(<p class="notice" role="note">)" + html_text(notice.text) + "</p>\n";
  }

  std::string operator()(const Table& table) const {
    std::string text = fmt::format("<figure><div class=\"scroll\"><table{}>\n",
                                   table.shade.empty() ? "" : " class=\"shaded\"");
    for (size_t i = 0; i < table.rows.size(); ++i) {
      const bool total = table.has_total && i + 1 == table.rows.size();
      const std::vector<double> shade =
          i < table.shade.size() ? table.shade[i] : std::vector<double>();
      text += fmt::format("{}<tr{}>{}</tr>{}\n",
                          i == 0   ? "<thead>"
                          : i == 1 ? "<tbody>\n"
                                   : "",
                          total ? " class=\"total\"" : "",
                          row_html(table.rows[i], table, i == 0 ? "th" : "td", shade),
                          i == 0 ? "</thead>" : "");
    }
    text += std::string(table.rows.size() > 1 ? "</tbody>\n" : "") + "</table></div>";
    if (!table.caption.empty()) text += caption(table.caption);
    return text + "</figure>\n";
  }

  std::string operator()(const Facts& facts) const {
    std::string text = "<dl>\n";
    for (const auto& [name, value] : facts.rows) {
      text += "<dt>" + html_text(name) + "</dt><dd>" + html_text(value) + "</dd>\n";
    }
    return text + "</dl>\n";
  }

  std::string operator()(const Pictures& pictures) const {
    std::string text = "<div class=\"pictures\">\n";
    for (const Picture& picture : pictures.pictures) {
      std::string svg = picture.svg;
      svg.insert(svg.find("<svg") + 4,
                 fmt::format(R"( role="img" aria-label="{}")", html_text(picture.caption)));
      text += "<figure>\n" + svg + caption(picture.caption) + "</figure>\n";
    }
    return text + "</div>\n";
  }

  std::string operator()(const Tiles& tiles) const {
    std::string text = fmt::format(
        "<p class=\"lead\">{}</p>\n<ul class=\"tiles\" "
        "style=\"--side:{}px\">\n",
        html_text(tiles.caption), tiles.side);
    for (const Tile& tile : tiles.tiles) {
      const std::string caption = html_text(tile.caption);
      text +=
          fmt::format("<li><img src=\"{0}\" width=\"{1}\" height=\"{1}\" alt=\"{2}\">{2}{3}</li>\n",
                      png_uri(tile.png), tiles.side, caption,
                      tile.detail.empty() ? "" : "<small>" + html_text(tile.detail) + "</small>");
    }
    return text + "</ul>\n";
  }

  std::string operator()(const Columns& columns) {
    return "<div class=\"columns\">\n<div>\n" + all(columns.first) + "</div>\n<div>\n" +
           all(columns.second) + "</div>\n</div>\n";
  }

  std::string operator()(const Folded& folded) {
    return "<details>\n<summary>" + html_text(folded.title) + "</summary>\n" + all(folded.blocks) +
           "</details>\n";
  }

 private:
  std::string all(const std::vector<DocumentBlock>& blocks) {
    std::string text;
    for (const DocumentBlock& block : blocks) text += std::visit(*this, block);
    return text;
  }

  int parts_ = 0;
};

std::string contents(const Document& document) {
  std::string text;
  int part = 0;
  for (const DocumentBlock& block : document.blocks) {
    const auto* heading = std::get_if<Heading>(&block);
    if (heading == nullptr || heading->level != 2) continue;
    text += fmt::format("<a href=\"#part-{}\">{}</a>\n", ++part, html_text(heading->text));
  }
  return "<nav>" + text + "</nav>\n";
}

}  // namespace

std::string to_html(const Document& document) {
  std::string text = fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{0}</title>\n<style>{1}</style>\n</head>\n<body>\n<h1>{0}</h1>\n"
      "<p class=\"subtitle\">{2}</p>\n",
      html_text(document.title), kHtmlStyle, html_text(document.subtitle));
  HtmlWriter writer;
  bool has_contents = false;
  for (const DocumentBlock& block : document.blocks) {
    if (!has_contents && std::holds_alternative<Heading>(block)) {
      text += contents(document);
      has_contents = true;
    }
    text += std::visit(writer, block);
  }
  return text + "</body>\n</html>\n";
}

}  // namespace digitron

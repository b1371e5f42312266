#include "host/report/draw_html.h"

#include <spdlog/fmt/fmt.h>

#include "host/core/task.h"
#include "host/text/text.h"

namespace digitron {

namespace {

// The script's canvas has this many pixels a side: twice what is seen, for screens that have them.
constexpr int kPadSide = 560;

std::string probability_rows() {
  std::string text;
  for (const std::string& digit : Task{}.classes) {
    text += fmt::format(
        "<tr><th scope=\"row\">{}</th><td class=\"bar\" aria-hidden=\"true\"></td>"
        "<td class=\"r\"></td></tr>\n",
        digit);
  }
  return text;
}

}  // namespace

std::string draw_html(const DrawDigit& draw) {
  return fmt::format(
      R"(<section class="draw" aria-label="Draw a digit">
<p>{caption}</p>
<noscript><p class="notice">This part needs JavaScript, which is switched off here.</p></noscript>
<div class="board">
<div><canvas class="pad" width="{pad}" height="{pad}" role="img"
 aria-label="Sheet to draw a digit on with mouse, pen or finger"></canvas>
<button type="button">Clear</button></div>
<div><p class="answer" role="status">Draw a digit from 0 to 9.</p>
<table><thead><tr><th scope="col">Digit</th><td></td><th scope="col" class="r">Probability</th></tr></thead>
<tbody>
{rows}</tbody></table></div>
<figure><canvas class="seen" width="{side}" height="{side}" role="img"
 aria-label="What the network sees"></canvas>
<figcaption>What the network sees</figcaption></figure>
</div>
<script type="application/json">{network}</script>
</section>
<script>
{script}</script>
)",
      fmt::arg("caption", html_text(draw.caption)), fmt::arg("pad", kPadSide),
      fmt::arg("side", Task{}.image.width), fmt::arg("rows", probability_rows()),
      // In JSON a < can only be in a string, where this is the same; here it could end the element.
      fmt::arg("network", replaced(draw.network, "<", "\\u003c")), fmt::arg("script", kDrawScript));
}

}  // namespace digitron

// What the part of a report looks like in which a digit is drawn; html_style.h has the colours.
#pragma once

namespace digitron {

inline constexpr const char* kDrawStyle = R"css(
.draw .board {
  display: grid; grid-template-columns: 280px minmax(0, 1fr) 140px; gap: 1.2rem 2.5rem;
  align-items: start; margin: 1.5rem 0 0;
}
.draw canvas { display: block; width: 100%; aspect-ratio: 1; outline: 1px solid var(--rule); }
.draw .pad {
  background: #fff; cursor: crosshair; touch-action: none; user-select: none;
  -webkit-user-select: none;
}
.draw .seen { background: #000; image-rendering: pixelated; }
.draw figcaption { margin-top: .5rem; }
.draw button {
  width: 100%; margin-top: .8rem; padding: .5rem; border: 1px solid var(--rule); background: none;
  color: inherit; font: inherit; cursor: pointer;
}
.draw button:hover { border-color: var(--ink); }
.draw button:focus-visible { outline: 2px solid var(--curve-1); outline-offset: 2px; }
.draw .answer { margin: 0 0 .6rem; font-size: 1.15rem; font-weight: 600; }
.draw table { width: 100%; table-layout: fixed; }
.draw th:first-child { width: 3.5rem; }
.draw th.r { width: 6.5rem; }
.draw .bar { padding: 0; }
.draw .bar::before {
  content: ""; display: block; height: .8rem; width: calc(var(--probability, 0) * 100%);
  background: var(--rule);
}
.draw .best { font-weight: 600; }
.draw .best .bar::before { background: var(--curve-1); }
@media (prefers-color-scheme: dark) { .draw .pad { filter: invert(.9); } }
@media (max-width: 58rem) {
  .draw .board { grid-template-columns: 280px minmax(0, 1fr) 84px; gap: 1.2rem; }
}
@media (max-width: 40rem) {
  .draw .board { grid-template-columns: minmax(0, 1fr) 84px; max-width: 24rem; }
  .draw .board > :first-child { grid-column: 1 / -1; }
}
@media print { .draw { display: none; } }
@media print { h2:has(+ .draw) { display: none; } }
)css";

}  // namespace digitron

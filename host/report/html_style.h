// What a report's page looks like: quiet, printable, light or dark as the reader's system is.
#pragma once

namespace digitron {

inline constexpr const char* kHtmlStyle = R"css(
:root {
  color-scheme: light dark;
  --paper: #fff; --ink: #222; --soft: #666; --rule: #bbb; --grid: #dadada; --alarm: #a33c00;
  --alarm-paper: #fdf3ec; --error: 213, 94, 0; --right: 0, 114, 178;
  --curve-1: #0072b2; --curve-2: #d55e00; --curve-3: #009e73;
  --curve-4: #cc79a7; --curve-5: #e69f00; --curve-6: #56b4e9;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #16181b; --ink: #dcdcda; --soft: #9a9a98; --rule: #55585c; --grid: #33363a;
    --alarm: #f0a070; --alarm-paper: #2a201a; --error: 240, 130, 60; --right: 76, 165, 220;
    --curve-1: #4ca5dc; --curve-2: #f0823c; --curve-3: #35c49b;
    --curve-4: #dd99bf; --curve-5: #edb540; --curve-6: #8ccbf0;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 3.5rem 1.5rem 5rem; max-width: 62rem;
  background: var(--paper); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  font-variant-numeric: tabular-nums lining-nums;
}
h1, h2, h3 { line-height: 1.2; font-weight: 600; overflow-wrap: anywhere; }
h1 { font-size: 2.1rem; margin: 0 0 .3rem; letter-spacing: -.01em; }
h2 { font-size: 1.5rem; margin: 4rem 0 1rem; padding-top: .8rem; border-top: 2px solid var(--ink); }
h3 { font-size: 1.08rem; margin: 2.4rem 0 .6rem; }
p { max-width: 42rem; margin: .7rem 0; overflow-wrap: anywhere; }
.subtitle, figcaption { color: var(--soft); }
.subtitle { margin: 0 0 1.5rem; }
nav { margin: 1.5rem 0 0; }
nav a { color: inherit; text-decoration-color: var(--rule); text-underline-offset: .2em; }
nav a + a::before { content: "\00a0\00b7\00a0 "; display: inline-block; }
.notice {
  max-width: 46rem; margin: 1rem 0; padding: .6rem 1rem; border-left: 4px solid var(--alarm);
  background: var(--alarm-paper); color: var(--alarm); font-weight: 500; overflow-wrap: anywhere;
}
.scroll {
  overflow-x: auto; margin: 1rem 0 .4rem;
  background:  /* a shadow at the edge beyond which a table goes on */
    linear-gradient(90deg, var(--paper) 40%, transparent) left / 2rem 100% local,
    linear-gradient(270deg, var(--paper) 40%, transparent) right / 2rem 100% local,
    linear-gradient(90deg, var(--rule), transparent) left / .6rem calc(100% - 2px) scroll,
    linear-gradient(270deg, var(--rule), transparent) right / .6rem calc(100% - 2px) scroll;
  background-repeat: no-repeat;
}
table { border-collapse: collapse; font-size: .9rem; line-height: 1.35; }
thead { border-top: 1.5px solid var(--ink); border-bottom: 1px solid var(--ink); }
tbody { border-bottom: 1.5px solid var(--ink); }
th { font-weight: 600; vertical-align: bottom; }
th, td { padding: .28rem .7rem; text-align: left; }
th:first-child, td:first-child { padding-left: .25rem; }
th:last-child, td:last-child { padding-right: .25rem; }
.r { text-align: right; }
td.r { white-space: nowrap; }
.total td { border-top: 1px solid var(--rule); font-weight: 600; }
table.shaded { font-size: .82rem; }
table.shaded td, table.shaded th { padding: .3rem .25rem; min-width: 2.2rem; }
td:first-child:not(.r) { min-width: 7rem; }
td:last-child:not(.r) { min-width: 15rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.5rem; font-size: .9rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
.pictures { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); gap: 1.5rem; }
.columns { display: grid; gap: 0 2rem; align-items: start; }
.columns > div { min-width: 0; }
.columns .pictures { grid-template-columns: minmax(0, 22rem); }
@media (min-width: 56rem) { .columns { grid-template-columns: minmax(0, 2.1fr) minmax(0, 1fr); } }
details { margin: 1rem 0; }
summary { cursor: pointer; font-weight: 600; }
figure { margin: 0 0 1rem; }
figure svg { display: block; width: 100%; max-width: 34rem; height: auto; }
figure svg text { font-family: inherit; }
figcaption { font-size: .9rem; line-height: 1.4; max-width: 46rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fill, var(--side)); gap: .9rem 24px; margin: 1.1rem 0; padding: 0; list-style: none; }
.tiles li { text-align: center; font-size: .85rem; line-height: 1.25; }
.tiles img { display: block; margin: 0 auto .25rem; image-rendering: pixelated; border: 1px solid var(--grid); }
.tiles small { display: block; color: var(--soft); }
@media (max-width: 40rem) {
  body { padding: 1.5rem 1rem 3rem; }
  h2 { margin-top: 2.5rem; }
  table { font-size: .82rem; }
  th, td { padding: .28rem .45rem; }
  dl { grid-template-columns: 1fr; }
  dd { margin: 0 0 .4rem 1rem; }
}
@media print {
  @page { size: A4; margin: 10mm 12mm; }
  :root { font-size: 7.7pt; }
  body { padding: 0; max-width: none; line-height: 1.4; }
  p { max-width: none; margin: .3rem 0; }
  h2 { margin: 1.2rem 0 .4rem; padding-top: .3rem; font-size: 1.35rem; }
  h3 { margin: .7rem 0 .2rem; }
  h2, h3, .lead { break-after: avoid; }
  .scroll { overflow: visible; background: none; margin: .4rem 0 .2rem; }
  th, td { padding: .06rem .4rem; }
  table { line-height: 1.25; }
  table.shaded td, table.shaded th { padding: .1rem .2rem; min-width: 2.2rem; }
  figure { margin: 0 0 .4rem; }
  figcaption { font-size: .85rem; line-height: 1.3; max-width: none; }
  figure, tr, li, .notice { break-inside: avoid; }
  .pictures { grid-template-columns: 1fr 1fr; gap: .3rem 1.5rem; }
  .pictures svg { max-width: 72mm; }
  .columns svg { max-width: 38mm; }
  .columns { grid-template-columns: minmax(0, 2.1fr) minmax(0, 1fr); gap: 0 1.2rem; }
  .tiles { gap: .2rem .4rem; margin: .3rem 0; grid-template-columns: repeat(auto-fill, calc(.43 * var(--side))); }
  .tiles img { width: calc(.36 * var(--side)); height: calc(.36 * var(--side)); }
  .tiles li { font-size: .72rem; line-height: 1.15; }
  nav, details:not([open]) { display: none; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
)css";

}  // namespace digitron

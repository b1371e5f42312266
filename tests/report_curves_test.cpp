#include "host/report/curves.h"

#include <gmock/gmock.h>

#include "host/core/error.h"
#include "host/report/gnuplot.h"
#include "tests/data_testing.h"

namespace digitron {
namespace {

using ::testing::AllOf;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Plot plot(std::vector<CurvePoint> points, bool logarithmic = false) {
  Plot result{"some-name", "Loss", logarithmic, {}};
  result.curves.push_back({"Test", 0, false, std::move(points)});
  return result;
}

size_t count(const std::string& text, const std::string& part) {
  size_t found = 0;
  for (size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++found;
  return found;
}

TEST(CurvesTest, ScriptHoldsTheFigures) {
  const std::string script = gnuplot_script(plot({{1, 0.5, 0.25, 0.75}, {2, 0.25, 0.25, 0.25}}));
  EXPECT_THAT(script, HasSubstr("1 0.5 0.25 0.75\n2 0.25 0.25 0.25\nEOD\n"));
  EXPECT_THAT(script, HasSubstr("set xrange [1:2]\n"));
  EXPECT_THAT(script, HasSubstr("with filledcurves"));
}

TEST(CurvesTest, BandOnlyWhereRunsDiffer) {
  EXPECT_THAT(gnuplot_script(plot({{1, 0.5, 0.5, 0.5}})), Not(HasSubstr("filledcurves")));
}

TEST(CurvesTest, LogarithmicOnlyWherePositive) {
  EXPECT_THAT(gnuplot_script(plot({{1, 0.5, 0.5, 0.5}}, true)), HasSubstr("set logscale y"));
  EXPECT_THAT(gnuplot_script(plot({{1, 0, 0, 0}, {2, 1, 1, 1}}, true)),
              Not(HasSubstr("set logscale y")));
}

std::vector<CurvePoint> rising(const std::vector<double>& values) {
  std::vector<CurvePoint> points;
  for (const double value : values) {
    points.push_back({static_cast<int>(points.size()) + 1, value, value - 0.1, value + 0.1});
  }
  return points;
}

TEST(CurvesTest, ZoomIsWhereTheCurvesEndUp) {
  Plot accuracy = plot(rising({88, 96, 97.4, 98.1, 98.6, 98.9}));
  accuracy.curves.push_back({"Training", 1, true, rising({85, 95, 97, 97.8, 98.8, 99.4})});
  accuracy.zoom = zoom_of(accuracy.curves);
  EXPECT_EQ(accuracy.zoom.lowest, 97.5) << "of 97.7, the lowest from the fourth epoch on";
  EXPECT_EQ(accuracy.zoom.highest, 99.5);
  const std::string script = gnuplot_script(accuracy);
  EXPECT_LT(script.find("set yrange [97.5:99.5]"), script.find("set yrange [84:100]"));
  EXPECT_EQ(count(draw(accuracy), ">Test</text>"), 1u) << "one key for both panels";
}

TEST(CurvesTest, NothingToZoom) {
  for (const auto& values : std::vector<std::vector<double>>{
           {}, {99}, {10, 20, 30, 40, 50, 60}, {1e300, -1e300, 1e300}}) {
    Plot accuracy = plot(rising(values));
    EXPECT_TRUE(zoom_of(accuracy.curves).empty());
    EXPECT_THAT(gnuplot_script(accuracy), Not(HasSubstr("multiplot")));
  }
}

TEST(CurvesTest, AGivenRangeIsTheAxis) {
  Plot given = plot({{1, 0.5, 0.5, 0.5}}, true);
  given.range = {0.05, 2};
  EXPECT_THAT(gnuplot_script(given), HasSubstr("set ytics (1e-2,2e-2,5e-2,1e-1,2e-1,5e-1,1e0,"));
  const std::string svg = draw(given);
  for (const char* tic : {"0.05", "0.1", "0.2", "0.5", "1", "2"}) {
    EXPECT_THAT(svg, HasSubstr(std::string(">") + tic + "</text>"));
  }
}

TEST(CurvesTest, PictureIsCleanSvg) {
  const std::string svg = draw(plot({{1, 0.5, 0.25, 0.75}, {2, 0.25, 0.2, 0.3}}, true));
  EXPECT_THAT(svg, StartsWith("<svg "));
  EXPECT_THAT(svg, HasSubstr("</svg>"));
  EXPECT_THAT(svg, HasSubstr(">Test</text>"));
  EXPECT_THAT(svg, HasSubstr("<polygon fill = 'var(--curve-1, #0072b2)'")) << "the band";
  EXPECT_EQ(count(svg, "xlink:href='#some-name-dot'"), 3u) << "two points and the key's";
  EXPECT_EQ(count(svg, " id="), 1u) << "names that another picture of the page might have";
  EXPECT_THAT(svg, AllOf(Not(HasSubstr("<title>")), Not(HasSubstr("rgb("))));
}

TEST(CurvesTest, AnyFiguresMakeAPicture) {
  for (const bool logarithmic : {false, true}) {
    for (const auto& points : std::vector<std::vector<CurvePoint>>{
             {{1, 0.5, 0.5, 0.5}},
             {{7, 0, 0, 0}},
             {{1, -1, -2, 0}, {1000000, 1, 1, 1}},
             {{1, -1e308, -1e308, 1e308}},
             {{1, 1e15, 1e15, 1e15}, {2, 1e15 + 1, 1e15 + 1, 1e15 + 1}},
             {{1, 1e-300, 1e-300, 1e-300}, {2, 1e300, 1e300, 1e300}},
             {{1, 5e-324, 5e-324, 5e-324}, {2, 0.5, 0.5, 0.5}},
             {{1, 5e-324, 5e-324, 5e-324}, {2, 1e-322, 1e-322, 1e-322}},
             {{1, 99, 99, 99}, {2, 99, 99, 99}}}) {
      EXPECT_EQ(count(draw(plot(points, logarithmic)), ">Test</text>"), 1u);
    }
  }
}

TEST(CurvesTest, EmptyCurvesAreLeftOut) {
  Plot two = plot({{1, 0.5, 0.5, 0.5}});
  two.curves.insert(two.curves.begin(), {"Training", 1, true, {}});
  const std::string svg = draw(two);
  EXPECT_THAT(svg, Not(HasSubstr("Training")));
  EXPECT_THAT(svg, HasSubstr(">Test</text>"));
}

// Whatever a title holds is text, for gnuplot and in the picture.
TEST(CurvesTest, TitlesAreInert) {
  const testing::TemporaryDirectory directory;
  const std::string touched = directory / "touched";
  for (const std::string& title :
       std::vector<std::string>{"'; system('touch " + touched + "'); '", "`touch " + touched + "`",
                                "\n!touch " + touched, "\\", "@x $y {/Bold z} %s",
                                "<script>&\"</script>", "\xFF", "it's", "a]]>b"}) {
    Plot hostile = plot({{1, 0.5, 0.5, 0.5}});
    hostile.curves[0].title = title;
    hostile.y_label = title;
    const std::string svg = draw(hostile);
    EXPECT_THAT(svg, HasSubstr("</svg>")) << title;
    EXPECT_THAT(svg, Not(HasSubstr("<script"))) << title;
    EXPECT_THAT(svg, Not(HasSubstr("]]>"))) << "which XML has nowhere but at the end of CDATA";
    EXPECT_FALSE(std::filesystem::exists(touched)) << title;
  }
}

TEST(GnuplotTest, MissingProgramNamesThePackage) {
  EXPECT_THAT(error_of<MachineError>([] { run_gnuplot("", "no-such-gnuplot"); }),
              AllOf(HasSubstr("cannot run no-such-gnuplot"), HasSubstr("install"),
                    HasSubstr("gnuplot-nox")));
}

// Exit code 127 is the loader's too, for a library that finds no memory.
TEST(GnuplotTest, OnlyAMissingProgramIsToBeInstalled) {
  const testing::TemporaryDirectory directory;
  const std::string program = directory / "gnuplot";
  testing::write_file(program,
                      "#!/bin/sh\necho libcairo.so.2: failed to map segment >&2; exit 127\n");
  const auto error = [&] { return error_of<MachineError>([&] { run_gnuplot("", program); }); };
  EXPECT_THAT(error(), AllOf(HasSubstr("(Permission denied); make it a program that you may run"),
                             Not(HasSubstr("install"))));
  std::filesystem::permissions(program, std::filesystem::perms::owner_all);
  EXPECT_THAT(error(), AllOf(HasSubstr("gnuplot failed (exit code 127): libcairo.so.2: failed to "),
                             HasSubstr("memory is free"), Not(HasSubstr("install"))));
  testing::write_file(program, "#!/bin/sh\nkill -9 $$\n");
  EXPECT_THAT(error(), HasSubstr("gnuplot failed (ended by Killed); check"));
}

TEST(GnuplotTest, FailureSaysWhat) {
  EXPECT_THAT(error_of<MachineError>([] { run_gnuplot("nonsense here\n"); }),
              AllOf(HasSubstr("gnuplot failed"), HasSubstr("invalid command")));
}

TEST(GnuplotTest, LargeOutputAndLargeScript) {
  std::string script = "set print '-'\n";
  for (int i = 0; i < 20000; ++i) script += "print 'twenty characters...'\n";
  EXPECT_EQ(run_gnuplot(script).size(), 20000u * 21);
}

}  // namespace
}  // namespace digitron

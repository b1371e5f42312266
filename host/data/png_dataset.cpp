#include "host/data/png_dataset.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "host/core/error.h"
#include "host/data/parallel_ranges.h"
#include "host/data/png_image.h"

namespace digitron {

namespace {

struct Entry {
  uint64_t number;
  uint8_t label;
  std::string name;
};

// "00042_7.png" -> 42, 7.
Entry parse_name(const std::filesystem::path& path) {
  Entry entry{0, 0, path.filename().string()};
  const char* const end = entry.name.data() + entry.name.size();
  const auto number = std::from_chars(entry.name.data(), end, entry.number);
  int label = -1;
  const auto rest = number.ptr != end && *number.ptr == '_'
                        ? std::from_chars(number.ptr + 1, end, label)
                        : std::from_chars_result{number.ptr, std::errc::invalid_argument};
  if (number.ec != std::errc{} || rest.ec != std::errc{} ||
      std::string_view(rest.ptr, end) != ".png")
    throw InputError(path.string() + " is not named {number}_{label}.png; rename or remove it");
  if (label < 0 || label >= kMostClasses)
    throw InputError(path.string() + " has label " + std::to_string(label) +
                     " in its name; labels must be 0 to 255");
  entry.label = static_cast<uint8_t>(label);
  return entry;
}

std::vector<Entry> entries_of(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::directory_iterator file(folder, error);
  std::vector<Entry> entries;
  for (; !error && file != std::filesystem::directory_iterator(); file.increment(error)) {
    const std::filesystem::path path = file->path();
    const bool hidden = path.filename().string().starts_with(".");
    if (path.extension() == ".png" && !hidden) entries.push_back(parse_name(path));
  }
  if (error)
    throw InputError("cannot list " + folder.string() + ": " + error.message() +
                     "; check that it is a folder that you may read");
  if (entries.empty())
    throw InputError(folder.string() + " has no {number}_{label}.png; put the images there");
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.number < b.number; });
  const auto twin =
      std::adjacent_find(entries.begin(), entries.end(),
                         [](const Entry& a, const Entry& b) { return a.number == b.number; });
  if (twin != entries.end())
    throw InputError((folder / twin->name).string() + " and " + twin[1].name +
                     " have one number; rename or remove one of them");
  return entries;
}

}  // namespace

ImageSet read_png_dataset(const std::filesystem::path& folder) {
  const std::vector<Entry> entries = entries_of(folder);
  const GreyImage first = read_png_grey(folder / entries[0].name);
  ImageSet set{{}, {1, first.height, first.width}, ""};
  Task task;
  task.image = set.image;
  check_task(task, first.name);
  Dataset& data = set.data;
  for (const Entry& entry : entries) data.labels.push_back(entry.label);
  const auto pixels = static_cast<ptrdiff_t>(set.image.count());
  data.images.resize(entries.size() * static_cast<size_t>(pixels));
  for_ranges(data.count(), [&](int begin, int end) {
    for (int i = begin; i < end; ++i) {
      const GreyImage image = read_png_grey(folder / entries[static_cast<size_t>(i)].name);
      if (image.width != first.width || image.height != first.height)
        throw InputError(image.name + " has " + std::to_string(image.width) + "x" +
                         std::to_string(image.height) + " pixels, and " + first.name + " " +
                         std::to_string(first.width) + "x" + std::to_string(first.height) +
                         "; give images of one size");
      std::copy(image.pixels.begin(), image.pixels.end(), data.images.begin() + i * pixels);
    }
  });
  return set;
}

}  // namespace digitron

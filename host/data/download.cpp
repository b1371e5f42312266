#include "host/data/download.h"

#include <curl/curl.h>
#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>
#include <zlib.h>

#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "host/core/error.h"
#include "host/data/sha256.h"
#include "host/files/atomic_file.h"

namespace digitron {

namespace {

namespace fs = std::filesystem;

constexpr long kMostRedirects = 5;
constexpr long kStalledBytes = 1000;  // a second

// Older than any download that still goes on.
constexpr std::chrono::hours kLeftover{1};

// Says why a mirror's copy is of no use; the next mirror is tried.
class Refused : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Body {
  std::string bytes;
  size_t most_bytes;
};

size_t append(const char* data, size_t size, size_t count, void* to) {
  auto& body = *static_cast<Body*>(to);
  if (body.bytes.size() + size * count > body.most_bytes) return 0;  // curl: a write error
  body.bytes.append(data, size * count);
  return size * count;
}

void set_limits(CURL* curl, const DownloadLimits& limits) {
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limits.connect.count()));
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(limits.whole.count()));
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, kStalledBytes);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(limits.stalled.count()));
  if (!limits.certificates.empty())
    curl_easy_setopt(curl, CURLOPT_CAINFO, limits.certificates.c_str());
}

std::string fetch(const std::string& url, const DownloadLimits& limits) {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(),
                                                                 curl_easy_cleanup);
  if (!curl) throw MachineError("libcurl does not start; check its installation");
  Body body{{}, limits.most_bytes};
  std::array<char, CURL_ERROR_SIZE> reason{};
  set_limits(curl.get(), limits);
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, reason.data());
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, append);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &body);
  curl_easy_setopt(curl.get(), CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_MAXREDIRS, kMostRedirects);
  // A mirror that is asked in secret does not lead to one that is not, and none to our own files.
  const char* const led_to = url.starts_with("https:") ? "https" : "https,http";
  curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "https,http,file");
  curl_easy_setopt(curl.get(), CURLOPT_REDIR_PROTOCOLS_STR, led_to);
  const CURLcode code = curl_easy_perform(curl.get());
  if (code == CURLE_WRITE_ERROR)
    throw Refused(fmt::format("sends more than {} MB", limits.most_bytes >> 20));
  if (code != CURLE_OK) throw Refused(reason[0] ? reason.data() : curl_easy_strerror(code));
  return std::move(body.bytes);
}

// The SHA-256 of the uncompressed bytes, which are inflated a piece at a time.
std::string sha256_of_gz(const std::string& gz, size_t most_bytes) {
  z_stream stream{};
  if (inflateInit2(&stream, MAX_WBITS + 16) != Z_OK) throw MachineError("zlib does not start");
  const std::unique_ptr<z_stream, decltype(&inflateEnd)> owner(&stream, inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(gz.data()));
  stream.avail_in = static_cast<uInt>(gz.size());
  Sha256 sha256;
  std::vector<uint8_t> piece(size_t{64} << 10);
  int code = Z_OK;
  while (code == Z_OK) {
    stream.next_out = piece.data();
    stream.avail_out = static_cast<uInt>(piece.size());
    code = inflate(&stream, Z_NO_FLUSH);
    sha256.update(std::span(piece).first(piece.size() - stream.avail_out));
    if (stream.total_out > most_bytes)
      throw Refused(fmt::format("inflates to more than {} MB", most_bytes >> 20));
  }
  if (code != Z_STREAM_END)
    throw Refused(code == Z_BUF_ERROR ? "the .gz ends early" : "not a whole .gz");
  if (stream.avail_in > 0) throw Refused("goes on after the end of its .gz");
  return sha256.hex();
}

std::string fetch_verified(const std::string& url, const KnownFile& file,
                           const DownloadLimits& limits) {
  std::string gz = fetch(url, limits);
  std::string sha256 = sha256_of_gz(gz, limits.most_bytes);  // a whole .gz, in any case
  if (file.of == KnownFile::Sum::kGz) {
    sha256 = sha256_hex({reinterpret_cast<const uint8_t*>(gz.data()), gz.size()});
  }
  if (sha256 != file.sha256) throw Refused("wrong SHA-256 " + sha256 + ", expected " + file.sha256);
  return gz;
}

std::string fetch_from_any(std::span<const std::string> mirrors, const KnownFile& file,
                           const DownloadLimits& limits) {
  std::string reasons;
  for (const std::string& mirror : mirrors) {
    const std::string url = mirror + "/" + file.name + ".gz";
    spdlog::info("downloading {}", url);
    try {
      return fetch_verified(url, file, limits);
    } catch (const Refused& refused) {
      reasons += (reasons.empty() ? "" : "; ") + url + ": " + refused.what();
    }
  }
  throw MachineError("cannot download " + file.name + ".gz (" +
                     (reasons.empty() ? "no mirrors" : reasons) +
                     "); check the network, or give a directory with --data");
}

[[noreturn]] void cannot_create(const fs::path& path, const std::error_code& error) {
  throw InputError("cannot create " + path.string() + ": " + error.message() +
                   "; give a directory with --data");
}

// Creates directories and files, and removes them again unless keep is called.
class Created {
 public:
  Created() = default;
  Created(const Created&) = delete;
  Created& operator=(const Created&) = delete;
  ~Created() {
    std::error_code ignored;
    while (!keep_ && !paths_.empty()) {
      fs::remove(paths_.back(), ignored);
      paths_.pop_back();
    }
  }

  void directory(const fs::path& path) {
    std::error_code error;
    if (path.empty() || fs::is_directory(path, error)) return;
    directory(path.parent_path());
    if (fs::create_directory(path, error)) paths_.push_back(path);
    if (error) cannot_create(path, error);
  }

  // One under a temporary name, which nobody else has.
  fs::path directory_beside(const fs::path& path) {
    directory(path.parent_path());
    std::error_code error;
    fs::path place;
    do {
      place = temporary_name(path);
    } while (!fs::create_directory(place, error) && !error);
    if (error) cannot_create(path, error);
    paths_.push_back(place);
    return place;
  }

  void file(const fs::path& path, const std::string& bytes) {
    std::error_code ignored;
    const bool is_new = !fs::exists(path, ignored);
    write_file_atomically(path, bytes);
    if (is_new) paths_.push_back(path);
  }

  void keep() { keep_ = true; }

 private:
  std::vector<fs::path> paths_;
  bool keep_ = false;
};

bool is_new_or_empty(const fs::path& directory) {
  std::error_code error;
  return !fs::exists(directory, error) || fs::is_empty(directory, error);
}

}  // namespace

void download_files(std::span<const std::string> mirrors, std::span<const KnownFile> files,
                    const fs::path& directory, const DownloadLimits& limits) {
  std::vector<std::string> bodies;
  for (const KnownFile& file : files) bodies.push_back(fetch_from_any(mirrors, file, limits));

  remove_leftovers(directory, kLeftover);
  Created created;
  // A process that is killed leaves no half of a new directory, which later ones would take for a
  // whole one.
  const bool at_once = is_new_or_empty(directory);
  const fs::path place = at_once ? created.directory_beside(directory) : directory;
  for (size_t i = 0; i < files.size(); ++i)
    created.file(place / (files[i].name + ".gz"), bodies[i]);
  std::error_code error;
  if (at_once) fs::rename(place, directory, error);
  // Another process may have been faster, with the same bytes: then ours go.
  if (!error) created.keep();
  if (error && is_new_or_empty(directory)) cannot_create(directory, error);
}

}  // namespace digitron

#include "host/data/download.h"

#include <curl/curl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>
#include <zlib.h>

#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include "host/core/error.h"
#include "host/data/sha256.h"
#include "host/files/atomic_file.h"

namespace digitron {

namespace {

// Compressed or not; MNIST's largest file has 47 MB. Keeps a strange server from filling the
// memory.
constexpr size_t kMaxBytes = size_t{64} << 20;

// A machine without network must not wait long: 10 s to connect, then at least 1 kB/s over 15 s,
// and ten minutes for a file in all, which is 17 kB/s for the largest.
constexpr long kConnectSeconds = 10;
constexpr long kMostSeconds = 600;
constexpr long kMostRedirects = 5;
constexpr long kLowSpeedBytes = 1000;
constexpr long kLowSpeedSeconds = 15;

// Says why a mirror's copy is of no use; the next mirror is tried.
class Refused : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

size_t append(const char* data, size_t size, size_t count, void* bytes) {
  auto& body = *static_cast<std::string*>(bytes);
  if (body.size() + size * count > kMaxBytes) return 0;  // curl then stops with a write error
  body.append(data, size * count);
  return size * count;
}

std::string fetch(const std::string& url) {
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(),
                                                                 curl_easy_cleanup);
  if (!curl) throw MachineError("libcurl does not start; check its installation");
  std::string body;
  std::array<char, CURL_ERROR_SIZE> reason{};
  curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl.get(), CURLOPT_ERRORBUFFER, reason.data());
  curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, append);
  curl_easy_setopt(curl.get(), CURLOPT_WRITEDATA, &body);
  curl_easy_setopt(curl.get(), CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_MAXREDIRS, kMostRedirects);
  // A mirror that is asked in secret does not lead to one that is not.
  const char* const led_to = url.starts_with("https:") ? "https" : "https,http";
  curl_easy_setopt(curl.get(), CURLOPT_REDIR_PROTOCOLS_STR, led_to);
  curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl.get(), CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT, kMostSeconds);
  curl_easy_setopt(curl.get(), CURLOPT_LOW_SPEED_LIMIT, kLowSpeedBytes);
  curl_easy_setopt(curl.get(), CURLOPT_LOW_SPEED_TIME, kLowSpeedSeconds);
  const CURLcode code = curl_easy_perform(curl.get());
  if (code != CURLE_OK) throw Refused(reason[0] ? reason.data() : curl_easy_strerror(code));
  return body;
}

// The SHA-256 of the uncompressed bytes, which are inflated a piece at a time.
std::string sha256_of_gz(const std::string& gz) {
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
    if (stream.total_out > kMaxBytes) throw Refused("inflates to more than 64 MB");
  }
  if (code != Z_STREAM_END)
    throw Refused(code == Z_BUF_ERROR ? "the .gz ends early" : "not a whole .gz");
  if (stream.avail_in > 0) throw Refused("goes on after the end of its .gz");
  return sha256.hex();
}

std::string fetch_verified(const std::string& url, const KnownFile& file) {
  std::string gz = fetch(url);
  std::string sha256 = sha256_of_gz(gz);  // a whole .gz, in any case
  if (file.of == KnownFile::Sum::kGz) {
    sha256 = sha256_hex({reinterpret_cast<const uint8_t*>(gz.data()), gz.size()});
  }
  if (sha256 != file.sha256) throw Refused("wrong SHA-256 " + sha256 + ", expected " + file.sha256);
  return gz;
}

std::string fetch_from_any(std::span<const std::string> mirrors, const KnownFile& file) {
  std::string reasons;
  for (const std::string& mirror : mirrors) {
    const std::string url = mirror + "/" + file.name + ".gz";
    spdlog::info("downloading {}", url);
    try {
      return fetch_verified(url, file);
    } catch (const Refused& refused) {
      reasons += (reasons.empty() ? "" : "; ") + url + ": " + refused.what();
    }
  }
  throw MachineError("cannot download " + file.name + ".gz (" +
                     (reasons.empty() ? "no mirrors" : reasons) +
                     "); check the network, or give a directory with --data");
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
      std::filesystem::remove(paths_.back(), ignored);
      paths_.pop_back();
    }
  }

  void directory(const std::filesystem::path& path) {
    std::error_code error;
    if (path.empty() || std::filesystem::is_directory(path, error)) return;
    directory(path.parent_path());
    if (!std::filesystem::create_directory(path, error) && error)
      throw InputError("cannot create " + path.string() + ": " + error.message() +
                       "; give a directory with --data");
    paths_.push_back(path);
  }

  void file(const std::filesystem::path& path, const std::string& bytes) {
    std::error_code ignored;
    const bool is_new = !std::filesystem::exists(path, ignored);
    write_file_atomically(path, bytes);
    if (is_new) paths_.push_back(path);
  }

  void keep() { keep_ = true; }

 private:
  std::vector<std::filesystem::path> paths_;
  bool keep_ = false;
};

}  // namespace

void download_files(std::span<const std::string> mirrors, std::span<const KnownFile> files,
                    const std::filesystem::path& directory) {
  std::vector<std::string> bodies;
  for (const KnownFile& file : files) bodies.push_back(fetch_from_any(mirrors, file));

  Created created;
  std::error_code error;
  const bool is_new = !std::filesystem::exists(directory, error);
  // A process that is killed leaves no half of a new directory, which later ones would take for a
  // whole one.
  const std::filesystem::path place =
      is_new ? directory.string() + "." + std::to_string(::getpid()) + ".tmp" : directory.string();
  created.directory(place);
  for (size_t i = 0; i < files.size(); ++i)
    created.file(place / (files[i].name + ".gz"), bodies[i]);
  if (is_new) std::filesystem::rename(place, directory, error);
  if (is_new && error && !std::filesystem::is_directory(directory)) {
    throw InputError("cannot create " + directory.string() + ": " + error.message() +
                     "; give a directory with --data");
  }
  // Another process may have been faster, with the same bytes: then ours go.
  if (!is_new || !error) created.keep();
}

}  // namespace digitron

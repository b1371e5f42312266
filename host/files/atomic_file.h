// A file is replaced as a whole: whatever happens in between, it is the old one or the new one.
#pragma once

#include <chrono>
#include <filesystem>
#include <string_view>

namespace digitron {

// What a power cut may undo once the file is said to be written. kYes: nothing. kContents: it may
// be the old file again, whole, until the directory is synced. kNo, for what can be made again and
// is checked when it is read: it may be there with other contents.
enum class Sync { kYes, kContents, kNo };

// Writes `bytes` to a temporary name beside `path`, syncs it, and renames it to `path`. On failure
// the file that was there stays as it was and the temporary is removed. Throws MachineError when
// the disk is full or faulty, InputError when the place cannot be written (permission, no such
// directory).
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes,
                           Sync sync = Sync::kYes);

// Writes all bytes to an open file. False, and errno, when that fails; a part may be written then.
bool write_all(int fd, std::string_view bytes);

// A name beside `path` for what is to be renamed to it, unique in this process and hardly used by
// another: whoever creates it makes sure of that.
std::filesystem::path temporary_name(const std::filesystem::path& path);

// What was renamed, created and removed in the directory stays so after a power cut. Some file
// systems cannot promise that, and say nothing: the files are whole anyway.
void sync_directory(const std::filesystem::path& path);

// Removes the temporary files that killed processes left beside `path`; write_file_atomically does
// so too. Temporary directories, which nobody locks, go when they have not changed for so long;
// with no age they stay.
void remove_leftovers(const std::filesystem::path& path, std::chrono::seconds age = {});

}  // namespace digitron

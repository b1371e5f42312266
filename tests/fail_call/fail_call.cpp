// Preloaded into a program (LD_PRELOAD), makes one of its calls fail, as a disk or a kernel can:
// FAIL_CALL="write 3 28 PATH" answers its third write with error 28 (ENOSPC), and "write 3+ 28
// PATH" every one from the third on. PATH is created when that happens, so that who counts up sees
// the end. Calls of one kind are counted together, over all threads. The programs that this one
// starts are left alone.
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <sstream>
#include <string>
#include <string_view>

namespace {

struct Request {
  std::string kind;
  long first = 0;
  bool stays = false;
  int error = 0;
  std::string mark;
};

Request asked() {
  Request request;
  const char* const text = std::getenv("FAIL_CALL");
  if (text == nullptr) return request;
  std::istringstream words(text);
  words >> request.kind >> request.first;
  request.stays = words.peek() == '+' && words.get() == '+';
  words >> request.error >> request.mark;
  unsetenv("FAIL_CALL");
  return request;
}

const Request& request() {
  static const Request once = asked();
  return once;
}

// Before main, and before another thread could call.
[[maybe_unused]] const Request& kEarly = request();

// Whether this call of the kind is to fail; errno then says why.
bool fails(std::string_view kind) {
  static std::atomic<long> count{0};
  if (kind != request().kind) return false;
  const long now = ++count;
  if (now < request().first || (now > request().first && !request().stays)) return false;
  const auto mark =
      ::syscall(SYS_openat, AT_FDCWD, request().mark.c_str(), O_WRONLY | O_CREAT, 0666);
  if (mark >= 0) ::syscall(SYS_close, mark);
  errno = request().error;
  return true;
}

// The function of this name that would be called without this library.
template <class Function>
Function next(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

// Memory of this size the C library maps, by a call that cannot be seen from here.
bool is_mapped(size_t size) {
  constexpr size_t kLeast = size_t{64} << 10;
  return size >= kLeast;
}

using Open = int (*)(const char*, int, ...);
using OpenAt = int (*)(int, const char*, int, ...);

}  // namespace

extern "C" {

// The C library's own, which need no looking up: that would allocate.
void* __libc_malloc(size_t size);                      // NOLINT
void* __libc_calloc(size_t count, size_t size);        // NOLINT
void* __libc_memalign(size_t alignment, size_t size);  // NOLINT

int open(const char* path, int flags, ...) {
  static const auto real = next<Open>("open");
  va_list more;
  va_start(more, flags);
  const auto mode = va_arg(more, mode_t);  // whatever it is where there is none
  va_end(more);
  return fails("open") ? -1 : real(path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  static const auto real = next<Open>("open64");
  va_list more;
  va_start(more, flags);
  const auto mode = va_arg(more, mode_t);
  va_end(more);
  return fails("open") ? -1 : real(path, flags, mode);
}

int openat(int directory, const char* path, int flags, ...) {
  static const auto real = next<OpenAt>("openat");
  va_list more;
  va_start(more, flags);
  const auto mode = va_arg(more, mode_t);
  va_end(more);
  return fails("open") ? -1 : real(directory, path, flags, mode);
}

std::FILE* fopen(const char* path, const char* mode) {
  static const auto real = next<decltype(&fopen)>("fopen");
  return fails("open") ? nullptr : real(path, mode);
}

std::FILE* fopen64(const char* path, const char* mode) {
  static const auto real = next<decltype(&fopen)>("fopen64");
  return fails("open") ? nullptr : real(path, mode);
}

int close(int fd) {
  static const auto real = next<decltype(&close)>("close");
  const int result = real(fd);  // it is closed, also where that reports an error
  return fails("close") ? -1 : result;
}

ssize_t read(int fd, void* bytes, size_t count) {
  static const auto real = next<decltype(&read)>("read");
  return fails("read") ? -1 : real(fd, bytes, count);
}

ssize_t write(int fd, const void* bytes, size_t count) {
  static const auto real = next<decltype(&write)>("write");
  return fails("write") ? -1 : real(fd, bytes, count);
}

ssize_t writev(int fd, const iovec* parts, int count) {
  static const auto real = next<decltype(&writev)>("writev");
  return fails("write") ? -1 : real(fd, parts, count);
}

ssize_t pwrite(int fd, const void* bytes, size_t count, off_t offset) {
  static const auto real = next<decltype(&pwrite)>("pwrite");
  return fails("write") ? -1 : real(fd, bytes, count, offset);
}

dirent* readdir(DIR* directory) {
  static const auto real = next<decltype(&readdir)>("readdir");
  return fails("readdir") ? nullptr : real(directory);
}

dirent64* readdir64(DIR* directory) {
  static const auto real = next<decltype(&readdir64)>("readdir64");
  return fails("readdir") ? nullptr : real(directory);
}

int fsync(int fd) {
  static const auto real = next<decltype(&fsync)>("fsync");
  return fails("fsync") ? -1 : real(fd);
}

int ftruncate(int fd, off_t size) noexcept {
  static const auto real = next<decltype(&ftruncate)>("ftruncate");
  return fails("truncate") ? -1 : real(fd, size);
}

int truncate(const char* path, off_t size) noexcept {
  static const auto real = next<decltype(&truncate)>("truncate");
  return fails("truncate") ? -1 : real(path, size);
}

int rename(const char* from, const char* to) noexcept {
  static const auto real = next<decltype(&rename)>("rename");
  return fails("rename") ? -1 : real(from, to);
}

int unlink(const char* path) noexcept {
  static const auto real = next<decltype(&unlink)>("unlink");
  return fails("unlink") ? -1 : real(path);
}

int mkdir(const char* path, mode_t mode) noexcept {
  static const auto real = next<decltype(&mkdir)>("mkdir");
  return fails("mkdir") ? -1 : real(path, mode);
}

int flock(int fd, int operation) noexcept {
  static const auto real = next<decltype(&flock)>("flock");
  return fails("flock") ? -1 : real(fd, operation);
}

void* mmap(void* address, size_t size, int protection, int flags, int fd, off_t offset) noexcept {
  static const auto real = next<decltype(&mmap)>("mmap");
  return fails("mmap") ? MAP_FAILED : real(address, size, protection, flags, fd, offset);
}

void* malloc(size_t size) noexcept {
  return is_mapped(size) && fails("mmap") ? nullptr : __libc_malloc(size);
}

void* calloc(size_t count, size_t size) noexcept {
  return is_mapped(count * size) && fails("mmap") ? nullptr : __libc_calloc(count, size);
}

void* aligned_alloc(size_t alignment, size_t size) noexcept {
  return is_mapped(size) && fails("mmap") ? nullptr : __libc_memalign(alignment, size);
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*start)(void*),
                   void* argument) noexcept {
  static const auto real = next<decltype(&pthread_create)>("pthread_create");
  return fails("thread") ? errno : real(thread, attributes, start, argument);
}

}  // extern "C"

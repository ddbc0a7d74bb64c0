// RocksDB's lock on a database. RocksDB's own lock belongs to the process. So another copy of RocksDB in the same process gets
// it too, and the lock ends when the process closes any descriptor of the file. If the system has locks that belong to one
// opening of the file, we take such a lock. It excludes RocksDB's own lock too.

#ifndef FERROFLARE_ENV_LOCK_H_
#define FERROFLARE_ENV_LOCK_H_

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "rocksdb/env.h"
#include "rocksdb/file_system.h"

#ifndef _WIN32
#include <fcntl.h>
#include <unistd.h>
#endif

namespace ferroflare {

// A lock of one opening of the file, or RocksDB's own if the system has no such locks.
class DatabaseLock : public rocksdb::FileLock {
 public:
  explicit DatabaseLock(int descriptor) : descriptor_(descriptor) {}
  explicit DatabaseLock(rocksdb::FileLock* rocks) : rocks_(rocks) {}

  rocksdb::FileLock* rocks() const { return rocks_; }

  ~DatabaseLock() override {
#ifndef _WIN32
    if (descriptor_ >= 0) close(descriptor_);
#endif
  }

 private:
  const int descriptor_ = -1;
  rocksdb::FileLock* const rocks_ = nullptr;
};

#ifdef F_OFD_SETLK

// Locks a file, and creates it if it is missing. If the file system has no such locks, sets neither `lock` nor an error.
inline rocksdb::IOStatus lock_opening(const std::string& path,
                                      std::unique_ptr<DatabaseLock>* lock) {
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) {
    return rocksdb::IOStatus::IOError("while open a file for lock: " + path, strerror(errno));
  }
  auto held = std::make_unique<DatabaseLock>(descriptor);
  struct flock whole = {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (fcntl(descriptor, F_OFD_SETLK, &whole) == 0) {
    *lock = std::move(held);
  } else if (errno == EAGAIN || errno == EACCES) {
    return rocksdb::IOStatus::IOError("While lock file: " + path, strerror(errno));
  }
  return rocksdb::IOStatus::OK();
}

#else

inline rocksdb::IOStatus lock_opening(const std::string&, std::unique_ptr<DatabaseLock>*) {
  return rocksdb::IOStatus::OK();
}

#endif

}  // namespace ferroflare

#endif  // FERROFLARE_ENV_LOCK_H_

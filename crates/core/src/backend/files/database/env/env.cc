// RocksDB's view of the file system: it can be told not to sync, and files that no program needs on the disk stay in
// memory. See env.rs.

#ifndef _WIN32
#include <sys/stat.h>
#endif

#include <atomic>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "kept.h"
#include "lock.h"
#include "options_text.h"
#include "rocksdb/env.h"
#include "rocksdb/file_system.h"

// The same structure as in RocksDB's db/c.cc: an environment in its C interface, which the Rust crate uses.
struct rocksdb_env_t {
  rocksdb::Env* rep;
  bool is_default;
};

namespace {

using ferroflare::Content;
using rocksdb::DirFsyncOptions;
using rocksdb::FileOptions;
using rocksdb::FSDirectory;
using rocksdb::FSRandomAccessFile;
using rocksdb::FSSequentialFile;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

using Observer = void (*)(const char* path, size_t length);

// While a thread has one, it creates a database and RocksDB syncs nothing on it. `complete` is called when the files of the
// database are written. The same structure as in env.rs.
struct Deferral {
  void (*complete)(void* context);
  void* context;
  // Whether the files will be synced soon.
  bool syncs_soon;
};
thread_local const Deferral* deferral = nullptr;
thread_local ferroflare::KeptFiles kept;
std::atomic<Observer> observer{nullptr};

bool has_name(const std::string& path, const std::string& beginning) {
  const size_t slash = path.find_last_of("/\\");
  return path.compare(slash == std::string::npos ? 0 : slash + 1, beginning.size(), beginning) == 0;
}

// RocksDB writes its options beside each database, after all other files. It reads them once, to check what it has written,
// and never again.
bool holds_options(const std::string& path) { return has_name(path, "OPTIONS-"); }

// RocksDB begins a database with a manifest that it replaces by a second one, before the database holds anything else.
bool is_replaced_soon(const std::string& path) {
  return deferral && (has_name(path, "MANIFEST-000001") || has_name(path, "000001.dbtmp"));
}

template <typename Sync>
IOStatus sync_now(const std::string& path, Sync sync) {
  IOStatus status = sync();
  if (status.ok()) {
    if (const Observer told = observer.load(std::memory_order_acquire)) {
      told(path.data(), path.size());
    }
  }
  return status;
}

class File : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  File(std::unique_ptr<FSWritableFile>&& file, std::string path)
      : FSWritableFileOwnerWrapper(std::move(file)), path_(std::move(path)) {}

  IOStatus Sync(const IOOptions& options, IODebugContext* context) override {
    if (deferral) return begin_sync(options, context);
    return sync_now(path_, [&] { return target()->Sync(options, context); });
  }

  IOStatus Fsync(const IOOptions& options, IODebugContext* context) override {
    if (deferral) return begin_sync(options, context);
    return sync_now(path_, [&] { return target()->Fsync(options, context); });
  }

 private:
  // Hands the file to the disk without waiting. Then one sync of the file system's journal is enough for all files of the
  // database. If this fails, the sync will report it.
  IOStatus begin_sync(const IOOptions& options, IODebugContext* context) {
    if (deferral->syncs_soon) {
      target()->RangeSync(0, 0, options, context).PermitUncheckedError();
    }
    return IOStatus::OK();
  }

  const std::string path_;
};

class Directory : public rocksdb::FSDirectoryWrapper {
 public:
  Directory(std::unique_ptr<FSDirectory>&& directory, std::string path)
      : FSDirectoryWrapper(std::move(directory)), path_(std::move(path)) {}

  IOStatus Fsync(const IOOptions& options, IODebugContext* context) override {
    if (deferral) return IOStatus::OK();
    return sync_now(path_, [&] { return FSDirectoryWrapper::Fsync(options, context); });
  }

  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* context,
                               const DirFsyncOptions& reason) override {
    const bool is_of_options = reason.reason == DirFsyncOptions::kFileRenamed &&
                               holds_options(reason.renamed_new_name);
    if (deferral || is_of_options) return IOStatus::OK();
    return sync_now(path_, [&] {
      return FSDirectoryWrapper::FsyncWithDirOptions(options, context, reason);
    });
  }

 private:
  const std::string path_;
};

// RocksDB's log for people. A level that keeps RocksDB quiet would not help: it would still compose most lines.
class QuietLogger : public rocksdb::Logger {
 public:
  void LogHeader(const char*, va_list) override {}
  void Logv(const char*, va_list) override {}
  void Logv(const rocksdb::InfoLogLevel, const char*, va_list) override {}
};

class FerroflareFileSystem : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;

  static const char* kClassName() { return "FerroflareFileSystem"; }
  const char* Name() const override { return kClassName(); }

  IOStatus FileExists(const std::string& path, const IOOptions& options,
                      IODebugContext* context) override {
    if (kept.find(path)) return IOStatus::OK();
    return target()->FileExists(path, options, context);
  }

  IOStatus GetFileSize(const std::string& path, const IOOptions& options, uint64_t* size,
                       IODebugContext* context) override {
    if (const Content content = kept.find(path)) {
      *size = content->size();
      return IOStatus::OK();
    }
    return target()->GetFileSize(path, options, size, context);
  }

  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* context) override {
    if (kept.find(from)) {
      if (holds_options(from)) {
        kept.remove(from);
      } else {
        kept.rename(from, to);
      }
      return IOStatus::OK();
    }
    IOStatus status = target()->RenameFile(from, to, options, context);
    if (status.ok()) kept.remove(to);
    return status;
  }

  IOStatus DeleteFile(const std::string& path, const IOOptions& options,
                      IODebugContext* context) override {
    if (kept.remove(path)) return IOStatus::OK();
    return target()->DeleteFile(path, options, context);
  }

  IOStatus NewSequentialFile(const std::string& path, const FileOptions& options,
                             std::unique_ptr<FSSequentialFile>* file,
                             IODebugContext* context) override {
    if (Content content = kept.find(path)) {
      if (holds_options(path)) {
        content = std::make_shared<std::string>(ferroflare::abridged(*content));
      }
      *file = std::make_unique<ferroflare::KeptSequentialFile>(content);
      return IOStatus::OK();
    }
    return target()->NewSequentialFile(path, options, file, context);
  }

  IOStatus NewRandomAccessFile(const std::string& path, const FileOptions& options,
                               std::unique_ptr<FSRandomAccessFile>* file,
                               IODebugContext* context) override {
    if (const Content content = kept.find(path)) {
      *file = std::make_unique<ferroflare::KeptRandomAccessFile>(content);
      return IOStatus::OK();
    }
    return target()->NewRandomAccessFile(path, options, file, context);
  }

  IOStatus NewWritableFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<FSWritableFile>* file,
                           IODebugContext* context) override {
    const bool is_of_options = holds_options(path);
    if (is_of_options || is_replaced_soon(path)) {
      if (is_of_options && deferral) deferral->complete(deferral->context);
      *file = std::make_unique<ferroflare::KeptWritableFile>(kept.create(path));
      return IOStatus::OK();
    }
    return wrapped(path, target()->NewWritableFile(path, options, file, context), file);
  }

  IOStatus ReopenWritableFile(const std::string& path, const FileOptions& options,
                              std::unique_ptr<FSWritableFile>* file,
                              IODebugContext* context) override {
    return wrapped(path, target()->ReopenWritableFile(path, options, file, context), file);
  }

  IOStatus ReuseWritableFile(const std::string& path, const std::string& old_path,
                             const FileOptions& options, std::unique_ptr<FSWritableFile>* file,
                             IODebugContext* context) override {
    return wrapped(path, target()->ReuseWritableFile(path, old_path, options, file, context),
                   file);
  }

  IOStatus NewDirectory(const std::string& path, const IOOptions& options,
                        std::unique_ptr<FSDirectory>* directory,
                        IODebugContext* context) override {
    IOStatus status = target()->NewDirectory(path, options, directory, context);
    if (status.ok()) *directory = std::make_unique<Directory>(std::move(*directory), path);
    return status;
  }

  IOStatus LockFile(const std::string& path, const IOOptions& options, rocksdb::FileLock** lock,
                    IODebugContext* context) override {
    std::unique_ptr<ferroflare::DatabaseLock> held;
    IOStatus status = ferroflare::lock_opening(path, &held);
    if (status.ok() && !held) {
      rocksdb::FileLock* rocks = nullptr;
      status = target()->LockFile(path, options, &rocks, context);
      if (status.ok()) held = std::make_unique<ferroflare::DatabaseLock>(rocks);
    }
    *lock = held.release();
    return status;
  }

  IOStatus UnlockFile(rocksdb::FileLock* lock, const IOOptions& options,
                      IODebugContext* context) override {
    const std::unique_ptr<ferroflare::DatabaseLock> held(
        static_cast<ferroflare::DatabaseLock*>(lock));
    return held->rocks() ? target()->UnlockFile(held->rocks(), options, context) : IOStatus::OK();
  }

  IOStatus NewLogger(const std::string&, const IOOptions&,
                     std::shared_ptr<rocksdb::Logger>* logger, IODebugContext*) override {
    *logger = std::make_shared<QuietLogger>();
    return IOStatus::OK();
  }

 private:
  static IOStatus wrapped(const std::string& path, IOStatus status,
                          std::unique_ptr<FSWritableFile>* file) {
    if (!status.ok()) return status;
#ifndef _WIN32
    // For this user alone. If the file system has no modes, the directory around it counts.
    (void)::chmod(path.c_str(), S_IRUSR | S_IWUSR);
#endif
    *file = std::make_unique<File>(std::move(*file), path);
    return status;
  }
};

}  // namespace

extern "C" {

rocksdb_env_t* ferroflare_env_new() {
  auto files = std::make_shared<FerroflareFileSystem>(rocksdb::FileSystem::Default());
  return new rocksdb_env_t{rocksdb::NewCompositeEnv(files).release(), false};
}

// Returns the former value of this thread.
const Deferral* ferroflare_env_defer(const Deferral* next) {
  // A creation that has failed may have left files.
  kept.clear();
  return std::exchange(deferral, next);
}

void ferroflare_env_observe(Observer told) { observer.store(told, std::memory_order_release); }

}  // extern "C"

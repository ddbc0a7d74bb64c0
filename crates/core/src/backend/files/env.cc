// RocksDB's view of the file system, in which it can be told not to sync. See env.rs.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <sstream>
#include <string>
#include <unordered_set>
#include <utility>

#include "rocksdb/convenience.h"
#include "rocksdb/env.h"
#include "rocksdb/file_system.h"
#include "rocksdb/options.h"
#include "rocksdb/table.h"

// As in RocksDB's db/c.cc: what its C interface, and so the Rust crate, takes for an environment.
struct rocksdb_env_t {
  rocksdb::Env* rep;
  bool is_default;
};

namespace {

using rocksdb::DirFsyncOptions;
using rocksdb::FileOptions;
using rocksdb::FSDirectory;
using rocksdb::FSSequentialFile;
using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

using Observer = void (*)(const char* path, size_t length);

// While there is one on a thread, nothing is synced there. `complete` is called when the files of a database that
// is created are written. As in env.rs.
struct Deferral {
  void (*complete)(void* context);
  void* context;
};
thread_local const Deferral* deferral = nullptr;
std::atomic<Observer> observer{nullptr};

// RocksDB writes its options beside each database, when everything else is there; it reads them once to check
// what it has written, and never again. They are kept in memory for so long.
bool holds_options(const std::string& path) {
  const size_t slash = path.find_last_of("/\\");
  return path.compare(slash == std::string::npos ? 0 : slash + 1, 8, "OPTIONS-") == 0;
}

rocksdb::Env& memory_env() {
  static rocksdb::Env* const env = rocksdb::NewMemEnv(rocksdb::Env::Default());
  return *env;
}

rocksdb::FileSystem& memory() { return *memory_env().GetFileSystem(); }

using Lines = std::unordered_set<std::string>;

Lines lines_of(const std::string& text) {
  std::istringstream stream(text);
  Lines lines;
  for (std::string line; std::getline(stream, line);) lines.insert(line);
  return lines;
}

// The lines of options that are RocksDB's defaults, in the sections that a file of options has.
struct Defaults {
  Lines database, family, table;

  Defaults() {
    rocksdb::ConfigOptions config;
    config.delimiter = "\n";
    database = text_of(
        [&](std::string* text) { return GetStringFromDBOptions(config, rocksdb::DBOptions(), text); });
    family = text_of([&](std::string* text) {
      return GetStringFromColumnFamilyOptions(config, rocksdb::ColumnFamilyOptions(), text);
    });
    const std::unique_ptr<rocksdb::TableFactory> factory(rocksdb::NewBlockBasedTableFactory());
    table = text_of([&](std::string* text) { return factory->GetOptionString(config, text); });
  }

  template <typename Write>
  static Lines text_of(Write write) {
    std::string text;
    return write(&text).ok() ? lines_of(text) : Lines();
  }
};

// A file of options without those that have their default value: to RocksDB it says the same, and it takes half
// a millisecond less to read, each time that a database is opened.
std::string abridged(const std::string& text) {
  static const Defaults* const defaults = new Defaults;
  const Lines* skipped = nullptr;
  std::istringstream stream(text);
  std::string kept;
  for (std::string line; std::getline(stream, line);) {
    if (line.rfind("[", 0) == 0) {
      skipped = line.rfind("[DBOptions", 0) == 0      ? &defaults->database
                : line.rfind("[CFOptions", 0) == 0    ? &defaults->family
                : line.rfind("[TableOptions", 0) == 0 ? &defaults->table
                                                      : nullptr;
    }
    const size_t start = line.find_first_not_of(' ');
    const bool skip = skipped && start != std::string::npos && skipped->count(line.substr(start));
    if (!skip) kept.append(line).push_back('\n');
  }
  return kept;
}

IOStatus open_abridged(const std::string& path, std::unique_ptr<FSSequentialFile>* file,
                       const FileOptions& options, IODebugContext* context) {
  std::string text;
  rocksdb::Status status = ReadFileToString(&memory_env(), path, &text);
  if (status.ok()) status = WriteStringToFile(&memory_env(), abridged(text), path);
  if (!status.ok()) return rocksdb::status_to_io_status(std::move(status));
  return memory().NewSequentialFile(path, options, file, context);
}

template <typename Sync>
IOStatus sync_unless_deferred(const std::string& path, Sync sync) {
  if (deferral) return IOStatus::OK();
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
    return sync_unless_deferred(path_, [&] { return target()->Sync(options, context); });
  }

  IOStatus Fsync(const IOOptions& options, IODebugContext* context) override {
    return sync_unless_deferred(path_, [&] { return target()->Fsync(options, context); });
  }

 private:
  const std::string path_;
};

class Directory : public rocksdb::FSDirectoryWrapper {
 public:
  Directory(std::unique_ptr<FSDirectory>&& directory, std::string path)
      : FSDirectoryWrapper(std::move(directory)), path_(std::move(path)) {}

  IOStatus Fsync(const IOOptions& options, IODebugContext* context) override {
    return sync_unless_deferred(
        path_, [&] { return FSDirectoryWrapper::Fsync(options, context); });
  }

  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* context,
                               const DirFsyncOptions& reason) override {
    if (reason.reason == DirFsyncOptions::kFileRenamed &&
        holds_options(reason.renamed_new_name)) {
      return IOStatus::OK();
    }
    return sync_unless_deferred(path_, [&] {
      return FSDirectoryWrapper::FsyncWithDirOptions(options, context, reason);
    });
  }

 private:
  const std::string path_;
};

class DeferringFileSystem : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;

  static const char* kClassName() { return "DeferringFileSystem"; }
  const char* Name() const override { return kClassName(); }

  IOStatus NewSequentialFile(const std::string& path, const FileOptions& options,
                             std::unique_ptr<FSSequentialFile>* file,
                             IODebugContext* context) override {
    if (holds_options(path)) return open_abridged(path, file, options, context);
    return target()->NewSequentialFile(path, options, file, context);
  }

  IOStatus GetFileSize(const std::string& path, const IOOptions& options, uint64_t* size,
                       IODebugContext* context) override {
    if (holds_options(path)) return memory().GetFileSize(path, options, size, context);
    return target()->GetFileSize(path, options, size, context);
  }

  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* context) override {
    if (holds_options(from)) return memory().DeleteFile(from, options, context);
    return target()->RenameFile(from, to, options, context);
  }

  IOStatus NewWritableFile(const std::string& path, const FileOptions& options,
                           std::unique_ptr<FSWritableFile>* file,
                           IODebugContext* context) override {
    if (holds_options(path)) {
      if (deferral) deferral->complete(deferral->context);
      return memory().NewWritableFile(path, options, file, context);
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

 private:
  static IOStatus wrapped(const std::string& path, IOStatus status,
                          std::unique_ptr<FSWritableFile>* file) {
    if (status.ok()) *file = std::make_unique<File>(std::move(*file), path);
    return status;
  }
};

}  // namespace

extern "C" {

rocksdb_env_t* ferroflare_env_new() {
  auto files = std::make_shared<DeferringFileSystem>(rocksdb::FileSystem::Default());
  return new rocksdb_env_t{rocksdb::NewCompositeEnv(files).release(), false};
}

// Returns what held before, for this thread.
const Deferral* ferroflare_env_defer(const Deferral* next) {
  return std::exchange(deferral, next);
}

void ferroflare_env_observe(Observer told) { observer.store(told, std::memory_order_release); }

}  // extern "C"

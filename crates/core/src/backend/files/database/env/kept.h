// Files that RocksDB believes to be on the disk, but that are in memory.

#ifndef FERROFLARE_ENV_KEPT_H_
#define FERROFLARE_ENV_KEPT_H_

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "rocksdb/file_system.h"

namespace ferroflare {

using Content = std::shared_ptr<std::string>;

// Appends to a content.
class KeptWritableFile : public rocksdb::FSWritableFile {
 public:
  explicit KeptWritableFile(Content content) : content_(std::move(content)) {}

  using FSWritableFile::Append;
  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions&,
                           rocksdb::IODebugContext*) override {
    content_->append(data.data(), data.size());
    return rocksdb::IOStatus::OK();
  }

  rocksdb::IOStatus Close(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return rocksdb::IOStatus::OK();
  }

  rocksdb::IOStatus Flush(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return rocksdb::IOStatus::OK();
  }

  rocksdb::IOStatus Sync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return rocksdb::IOStatus::OK();
  }

  uint64_t GetFileSize(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return content_->size();
  }

 private:
  const Content content_;
};

// Up to `n` bytes of a content from `offset` on, in the form that RocksDB's readers get.
inline rocksdb::Slice read_kept(const std::string& content, uint64_t offset, size_t n,
                                char* scratch) {
  const size_t from = std::min<uint64_t>(offset, content.size());
  const size_t length = std::min(n, content.size() - from);
  std::memcpy(scratch, content.data() + from, length);
  return rocksdb::Slice(scratch, length);
}

class KeptSequentialFile : public rocksdb::FSSequentialFile {
 public:
  explicit KeptSequentialFile(Content content) : content_(std::move(content)) {}

  rocksdb::IOStatus Read(size_t n, const rocksdb::IOOptions&, rocksdb::Slice* result,
                         char* scratch, rocksdb::IODebugContext*) override {
    *result = read_kept(*content_, offset_, n, scratch);
    offset_ += result->size();
    return rocksdb::IOStatus::OK();
  }

  rocksdb::IOStatus Skip(uint64_t n) override {
    offset_ += n;
    return rocksdb::IOStatus::OK();
  }

 private:
  const Content content_;
  uint64_t offset_ = 0;
};

class KeptRandomAccessFile : public rocksdb::FSRandomAccessFile {
 public:
  explicit KeptRandomAccessFile(Content content) : content_(std::move(content)) {}

  rocksdb::IOStatus Read(uint64_t offset, size_t n, const rocksdb::IOOptions&,
                         rocksdb::Slice* result, char* scratch,
                         rocksdb::IODebugContext*) const override {
    *result = read_kept(*content_, offset, n, scratch);
    return rocksdb::IOStatus::OK();
  }

 private:
  const Content content_;
};

// The files that one thread keeps, by path.
class KeptFiles {
 public:
  // Null if the thread keeps no such file.
  Content find(const std::string& path) const {
    const auto found = files_.find(path);
    return found == files_.end() ? nullptr : found->second;
  }

  Content create(const std::string& path) {
    return files_[path] = std::make_shared<std::string>();
  }

  void rename(const std::string& from, const std::string& to) {
    auto entry = files_.extract(from);
    if (entry.empty()) return;
    files_.erase(to);
    entry.key() = to;
    files_.insert(std::move(entry));
  }

  bool remove(const std::string& path) { return files_.erase(path) > 0; }

  void clear() { files_.clear(); }

 private:
  std::map<std::string, Content> files_;
};

}  // namespace ferroflare

#endif  // FERROFLARE_ENV_KEPT_H_

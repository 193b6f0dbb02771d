#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "transport/platform/mapping.h"
#include "transport/platform/object_file_posix.h"
#include "transport/platform/object_name_internal.h"

namespace shmrpc {
namespace platform {
namespace {

std::vector<std::string> FilesWithPrefix(const std::string& path_prefix,
                                         bool skip_global) {
  std::vector<std::string> paths;
  const size_t slash = path_prefix.rfind('/');
  if (slash == std::string::npos) return paths;
  const std::string directory = path_prefix.substr(0, slash + 1);
  const std::string file_prefix = path_prefix.substr(slash + 1);
  DIR* const dir = opendir(directory.c_str());
  if (dir == nullptr) return paths;
  while (const dirent* entry = readdir(dir)) {
    if (entry->d_name[0] == '.' ||
        !absl::StartsWith(entry->d_name, file_prefix) ||
        (skip_global && absl::StartsWith(entry->d_name, kGlobalPrefix))) {
      continue;
    }
    paths.push_back(absl::StrCat(directory, entry->d_name));
  }
  closedir(dir);
  return paths;
}

// A directory with the sticky bit lets nobody else remove the name. (What is
// removed is a name and nothing else, so root can do no harm.)
bool MayReclaim(const struct stat& file) {
  return geteuid() == 0 || file.st_uid == geteuid();
}

}  // namespace

int ReclaimAbandoned(Scope scope, absl::string_view prefix,
                     absl::FunctionRef<bool(absl::string_view name)> spare) {
  int reclaimed = 0;
  for (const ObjectName& name : NamesWithPrefix({scope, std::string(prefix)})) {
    if (spare(name.name)) continue;
    const std::string path = name.OsName();
    // Most names of others cannot be opened anyway.
    struct stat named;
    if (lstat(path.c_str(), &named) != 0 || !MayReclaim(named)) continue;
    const ObjectFile::Ptr file = ObjectFile::Open(path, /*writable=*/true);
    if (file == nullptr || !file->has_marker() ||
        !MayReclaim(file->stat_at_open())) {
      continue;
    }
    if (file->UnlinkIfAbandoned(path) == 0) ++reclaimed;
  }
  return reclaimed;
}

int ReclaimAbandoned(Scope scope, absl::string_view prefix) {
  return ReclaimAbandoned(scope, prefix,
                          [](absl::string_view) { return false; });
}

std::vector<ObjectName> NamesWithPrefix(const ObjectName& prefix) {
  const std::string path_prefix = prefix.OsName();
  std::vector<ObjectName> names;
  for (const std::string& path :
       FilesWithPrefix(path_prefix, prefix.scope == Scope::kLocal)) {
    names.push_back(prefix.WithSuffix(path.substr(path_prefix.size())));
  }
  return names;
}

}  // namespace platform
}  // namespace shmrpc

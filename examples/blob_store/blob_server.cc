// Keeps blobs in memory and serves them under a name until it is told to stop.
//
//   blob_server [NAME]           default: blobs
//
// Prints "listening on shm:NAME" when clients can call, and stops when its
// standard input ends (Ctrl-D, or the end of whoever started it).

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "examples/blob_store/blob_store.shmrpc.pb.h"
#include "examples/blob_store/digest.h"
#include "examples/blob_store/limits.h"
#include "shmrpc/shmrpc.h"

namespace {

using blobs::Blob;
using blobs::BlobInfo;
using blobs::BlobName;
using blobs::BlobPart;

class BlobStoreImpl final : public blobs::BlobStore::Service {
  shmrpc::Status Upload(shmrpc::ServerContext* context,
                        shmrpc::ServerReader<BlobPart>* reader,
                        BlobInfo* result) override {
    BlobPart part;
    if (!reader->Read(&part) || !part.has_info()) {
      return shmrpc::Status(shmrpc::INVALID_ARGUMENT,
                            "the first part is not the info");
    }
    const BlobInfo info = part.info();
    if (info.size_bytes() < 0 || info.size_bytes() > blobs::kMaxBlobBytes) {
      return shmrpc::Status(
          shmrpc::INVALID_ARGUMENT,
          "a blob has 0 to " + std::to_string(blobs::kMaxBlobBytes) +
              " bytes, not " + std::to_string(info.size_bytes()));
    }
    std::string data;
    data.reserve(static_cast<size_t>(info.size_bytes()));
    while (reader->Read(&part)) {
      data.append(part.data());
      // A handler may return before it has read everything: the client's next
      // Write fails then.
      if (data.size() > static_cast<size_t>(info.size_bytes())) break;
    }
    // Read also returns false when the client has gone.
    if (context->IsCancelled()) return shmrpc::Status::CANCELLED;
    return Keep(info, std::move(data), result);
  }

  shmrpc::Status Download(shmrpc::ServerContext* context,
                          const BlobName* request,
                          shmrpc::ServerWriter<BlobPart>* writer) override {
    const std::shared_ptr<const Blob> blob = Find(request->name());
    if (blob == nullptr) return NotFound(request->name());
    BlobPart part;
    *part.mutable_info() = blob->info();
    bool reading = writer->Write(part);
    const std::string& data = blob->data();
    for (size_t at = 0; reading && at < data.size(); at += blobs::kPartBytes) {
      part.mutable_data()->assign(data, at, blobs::kPartBytes);
      reading = writer->Write(part);
    }
    return shmrpc::Status::OK;
  }

  shmrpc::Status UploadWhole(shmrpc::ServerContext* context,
                             const Blob* request, BlobInfo* result) override {
    return Keep(request->info(), request->data(), result);
  }

  shmrpc::Status DownloadWhole(shmrpc::ServerContext* context,
                               const BlobName* request, Blob* reply) override {
    const std::shared_ptr<const Blob> blob = Find(request->name());
    if (blob == nullptr) return NotFound(request->name());
    *reply = *blob;
    return shmrpc::Status::OK;
  }

  // Keeps `data` if it is what `info` says; `*result` then is `info`.
  shmrpc::Status Keep(const BlobInfo& info, std::string data,
                      BlobInfo* result) {
    if (data.size() != static_cast<size_t>(info.size_bytes()) ||
        blobs::Digest(data) != info.digest()) {
      return shmrpc::Status(shmrpc::DATA_LOSS,
                            info.name() + " did not arrive as it was sent");
    }
    auto blob = std::make_shared<Blob>();
    *blob->mutable_info() = info;
    blob->set_data(std::move(data));
    *result = info;
    std::lock_guard<std::mutex> lock(mutex_);
    blobs_[info.name()] = std::move(blob);
    return shmrpc::Status::OK;
  }

  // Null if there is none. A download goes on with the blob it began with.
  std::shared_ptr<const Blob> Find(const std::string& name) {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = blobs_.find(name);
    return found == blobs_.end() ? nullptr : found->second;
  }

  static shmrpc::Status NotFound(const std::string& name) {
    return shmrpc::Status(shmrpc::NOT_FOUND, "no blob is called " + name);
  }

  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const Blob>>
      blobs_;  // guarded by mutex_
};

}  // namespace

int main(int argc, char** argv) {
  const std::string address =
      std::string("shm:") + (argc > 1 ? argv[1] : "blobs");
  BlobStoreImpl service;
  shmrpc::ServerBuilder builder;
  builder.AddListeningPort(address, shmrpc::InsecureServerCredentials());
  builder.RegisterService(&service);
  // For UploadWhole; Upload would do without.
  builder.SetMaxReceiveMessageSize(blobs::kMaxMessageBytes);
  std::unique_ptr<shmrpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) return 1;  // the log on stderr says why

  std::cout << "listening on " << address << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
  }
  server->Shutdown();
  return 0;
}

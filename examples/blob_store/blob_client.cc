// Moves a blob to blob_server and back, in parts and whole, checks that it
// comes back as it was, and prints how fast that went.
//
//   blob_client [NAME [MEBIBYTES]]       default: blobs 64

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <random>
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
using blobs::BlobStore;

Blob MakeBlob(const std::string& name, size_t size_bytes) {
  Blob blob;
  std::string& data = *blob.mutable_data();
  data.resize(size_bytes);
  std::mt19937_64 random(size_bytes);
  for (char& byte : data) byte = static_cast<char>(random());
  blob.mutable_info()->set_name(name);
  blob.mutable_info()->set_size_bytes(static_cast<int64_t>(size_bytes));
  blob.mutable_info()->set_digest(blobs::Digest(data));
  return blob;
}

BlobName NameOf(const Blob& blob) {
  BlobName name;
  name.set_name(blob.info().name());
  return name;
}

shmrpc::Status Upload(BlobStore::Stub* stub, const Blob& blob) {
  shmrpc::ClientContext context;
  BlobInfo result;
  std::unique_ptr<shmrpc::ClientWriter<BlobPart>> writer =
      stub->Upload(&context, &result);
  BlobPart part;
  *part.mutable_info() = blob.info();
  // False: the call has ended. Finish says why.
  bool going = writer->Write(part);
  const std::string& data = blob.data();
  for (size_t at = 0; going && at < data.size(); at += blobs::kPartBytes) {
    // The message may be used again at once: Write has serialized it.
    part.mutable_data()->assign(data, at, blobs::kPartBytes);
    going = writer->Write(part);
  }
  writer->WritesDone();
  return writer->Finish();
}

shmrpc::Status Download(BlobStore::Stub* stub, const BlobName& name,
                        Blob* blob) {
  shmrpc::ClientContext context;
  std::unique_ptr<shmrpc::ClientReader<BlobPart>> reader =
      stub->Download(&context, name);
  for (BlobPart part; reader->Read(&part);) {
    if (part.has_info()) {
      *blob->mutable_info() = part.info();
    } else {
      blob->mutable_data()->append(part.data());
    }
  }
  return reader->Finish();
}

shmrpc::Status UploadWhole(BlobStore::Stub* stub, const Blob& blob) {
  shmrpc::ClientContext context;
  BlobInfo result;
  return stub->UploadWhole(&context, blob, &result);
}

shmrpc::Status DownloadWhole(BlobStore::Stub* stub, const BlobName& name,
                             Blob* blob) {
  shmrpc::ClientContext context;
  return stub->DownloadWhole(&context, name, blob);
}

// Runs `move` and prints what became of it. False if it failed.
template <class Move>
bool Timed(const char* what, int64_t size_bytes, Move move) {
  const auto start = std::chrono::steady_clock::now();
  const shmrpc::Status status = move();
  const std::chrono::duration<double> duration =
      std::chrono::steady_clock::now() - start;
  const double seconds = std::max(duration.count(), 1e-9);
  std::cout << what << ": ";
  if (!status.ok()) {
    std::cout << "failed: " << status << std::endl;
    return false;
  }
  std::cout << size_bytes << " bytes in " << static_cast<int64_t>(seconds * 1e3)
            << " ms, " << static_cast<int64_t>(size_bytes / seconds / 1e6)
            << " MB/s" << std::endl;
  return true;
}

bool IsSame(const Blob& sent, const Blob& received) {
  if (blobs::Digest(received.data()) == sent.info().digest() &&
      received.info().digest() == sent.info().digest()) {
    std::cout << "  the digest is right" << std::endl;
    return true;
  }
  std::cout << "  the digest is wrong" << std::endl;
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string target =
      std::string("shm:") + (argc > 1 ? argv[1] : "blobs");
  const int64_t size_bytes =
      (argc > 2 ? std::atoll(argv[2]) : 64) * 1024 * 1024;
  if (size_bytes < 0 || size_bytes > blobs::kMaxBlobBytes) {
    std::cerr << "blob_client: a blob has at most "
              << blobs::kMaxBlobBytes / 1024 / 1024 << " MiB" << std::endl;
    return 2;
  }

  // Two channels to the same server: one as it comes, and one that accepts
  // responses that hold a whole blob.
  const auto credentials = shmrpc::InsecureChannelCredentials();
  auto stub = BlobStore::NewStub(shmrpc::CreateChannel(target, credentials));
  shmrpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(blobs::kMaxMessageBytes);
  auto roomy_stub = BlobStore::NewStub(
      shmrpc::CreateCustomChannel(target, credentials, arguments));

  // In parts: each message is small, so the limits of a channel as it comes do.
  const Blob streamed = MakeBlob("streamed", static_cast<size_t>(size_bytes));
  if (!Timed("upload in parts", size_bytes,
             [&] { return Upload(stub.get(), streamed); })) {
    return 1;
  }
  Blob back;
  if (!Timed("download in parts", size_bytes,
             [&] { return Download(stub.get(), NameOf(streamed), &back); })) {
    return 1;
  }
  if (!IsSame(streamed, back)) return 1;

  // Whole: what is sent has no limit unless one is set; the server has raised
  // its own for what it receives.
  const Blob whole = MakeBlob("whole", static_cast<size_t>(size_bytes));
  if (!Timed("upload whole", size_bytes,
             [&] { return UploadWhole(stub.get(), whole); })) {
    return 1;
  }
  // The way back takes the other channel, if the blob is larger than the first
  // one accepts.
  back.Clear();
  Timed("download whole, limit as it comes", size_bytes,
        [&] { return DownloadWhole(stub.get(), NameOf(whole), &back); });
  back.Clear();
  if (!Timed("download whole, limit raised", size_bytes, [&] {
        return DownloadWhole(roomy_stub.get(), NameOf(whole), &back);
      })) {
    return 1;
  }
  return IsSame(whole, back) ? 0 : 1;
}

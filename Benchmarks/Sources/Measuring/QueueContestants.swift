internal import Glibc
internal import PosixAIO
internal import SystemPackage

/// Our contestant without the event loop: the completion queue's descriptor, polled with poll(2).
public enum QueueContestant {
  /// Reads random blocks.
  public static func read(_ job: Job) throws -> Sample {
    let queue = try CompletionQueue()
    let files = try job.openDescriptors(.readOnly).map { descriptor in
      AIOFile(descriptor, path: job.path, queue: queue)
    }
    let requests = Requests(job, files)
    requests.startReads()
    var entry = pollfd(fd: queue.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
    while requests.pendingCount > 0 {
      _ = unsafe poll(&entry, 1, -1)
      queue.drain()
    }
    for file in files { file.close() }
    queue.drain()
    return requests.meter.sample
  }
}

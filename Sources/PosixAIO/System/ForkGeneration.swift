internal import CPosixAIO

/// Tells a process from a child that it forked. The two share descriptors by mistake.
package struct ForkGeneration: Equatable, Sendable {
  private let forkCount: UInt32

  /// The generation of the calling process: the number of forks since this was first asked.
  package static var current: ForkGeneration { ForkGeneration(forkCount: caio_fork_count()) }
}

internal import Foundation

/// The servers of the rows.
struct Peers {
  /// Where the programs of this package are.
  let programs: URL
  /// What the file servers serve.
  let root: URL

  /// Made by this package, and stands beside this program.
  private func sibling(_ name: String) -> String {
    URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
      .deletingLastPathComponent().appendingPathComponent(name).path
  }

  var fileServer: Peer {
    Peer(name: Name.fileServer, program: ours("aio-fileserver")) { _, port in
      ["--root", root.path, "--port", "\(port)"]
    }
  }

  /// Takes uploads into a folder of its own.
  ///
  /// - Parameter name: Tells one from another that runs at the same time.
  func uploadServer(_ name: String) -> Peer {
    Peer(name: name, program: ours("aio-fileserver")) { folder, port in
      ["--root", folder.path, "--port", "\(port)", "--upload", "--max-upload", "\(Int.max)"]
    }
  }

  var helloServer: Peer {
    Peer(name: Name.helloServer, program: sibling("hello-server")) { _, port in ["\(port)"] }
  }

  var keyValueServer: Peer {
    Peer(name: Name.keyValueServer, program: ours("aio-kv")) { folder, port in
      ["--dir", folder.path, "--port", "\(port)", "--sync", "always"]
    }
  }

  var redis: Peer {
    var peer = Peer(name: Name.redis, program: "redis-server") { folder, port in
      [
        "--port", "\(port)", "--dir", folder.path, "--appendonly", "yes",
        "--appendfsync", "always", "--save", "",
      ]
    }
    peer.answers = { port in
      (try? Command.output("redis-cli", ["-p", "\(port)", "ping"])) == "PONG\n"
    }
    return peer
  }

  /// The program of this package that is built beside this one.
  func evhttp(_ name: String, _ way: String) -> Peer {
    Peer(name: name, program: sibling("evhttp-files")) { _, port in [way, root.path, "\(port)"] }
  }

  /// - Parameters:
  ///   - directives: How it reads files.
  ///   - location: What it does with a request.
  func nginx(_ name: String, _ directives: String, location: String = "") -> Peer {
    Peer(name: name, program: "nginx") { folder, port in
      let file = folder.appendingPathComponent("nginx.conf")
      let paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map { "\($0)_temp_path \(folder.path);" }.joined(separator: " ")
      let text = """
        worker_processes 1; daemon off; master_process off;
        pid \(folder.path)/pid; error_log /dev/null;
        events { worker_connections 4096; }
        http {
          access_log off; keepalive_requests 1000000000; \(directives) \(paths)
          server { listen 127.0.0.1:\(port) backlog=4096; root \(root.path); \(location) }
        }
        """
      try Data(text.utf8).write(to: file)
      return ["-c", file.path]
    }
  }

  private func ours(_ name: String) -> String { programs.appendingPathComponent(name).path }
}

/// The names of the contestants.
enum Name {
  static let fileServer = "aio-fileserver"
  static let helloServer = "ReactorHTTP"
  static let hello = "evhttp in C"
  static let pread = "evhttp in C, pread"
  static let sendfile = "evhttp in C, evbuffer_add_file"
  static let nginx = "nginx"
  static let nginxThreads = "nginx, aio threads, no sendfile"
  static let nginxSendfileThreads = "nginx, sendfile, aio threads"
  static let nginxSendfile = "nginx, sendfile"
  static let keyValueServer = "aio-kv"
  static let redis = "redis-server"
}

/// Each at its best: what it has opened it keeps, and a head leaves with its file's first bytes.
extension Peers {
  private static let kept = "open_file_cache max=10000; tcp_nopush on;"

  var nginxSendfile: Peer { nginx(Name.nginxSendfile, "sendfile on; \(Self.kept)") }
  var nginxThreads: Peer {
    nginx(Name.nginxThreads, "sendfile off; aio threads; \(Self.kept)")
  }
  var nginxSendfileThreads: Peer {
    nginx(Name.nginxSendfileThreads, "sendfile on; aio threads; \(Self.kept)")
  }
  var nginxHello: Peer {
    nginx(
      Name.nginx, "default_type text/plain;", location: #"location / { return 200 "Hello\n"; }"#)
  }
}

/// Requests that have caused bugs in servers, or are at the limit of what the standards allow.
/// Inputs that a fuzz run finds are added here.
enum RequestCorpus {
  static let targets = [
    "/", "//", "/.", "/..", "/./", "/../", "/a", "/a/", "/a//b", "/a/./b", "/a/../b", "/a/..",
    "/.a", "/...", "/..a", "/a..", "/%2e%2e/", "/%2E%2e%2f", "/..%2f..%2fetc/passwd",
    "/..%5c..%5c", "/%", "/%2", "/%zz", "/%00", "/a%00.txt", "/%25%32%65", "/%2525",
    "/%c0%ae%c0%ae/", "/%ff%fe", "/%2f", "/%2fetc%2fpasswd", "", "a", "*", "http://host/../a",
    "/a;b=c", "/a?b", "/a#b", "/link", "/link/secret", "/inside", "/folder/up/",
    "/folder/up/../file", "/folder/file", "/folder", "/file%20name", "/\u{e9}", "/%C3%A9",
    "/a%0d%0aX: y", "/CON", "/proc/self/root/etc/passwd", "/\u{202e}txt.exe", "/ ", "/+", "/a%2Fb",
    "/file/", "/file/.", "/file/..",
  ]

  static let ranges = [
    "bytes=0-0", "bytes=0-", "bytes=-1", "bytes=-0", "bytes=0-99999999999999999999",
    "bytes=9223372036854775807-", "bytes=-9223372036854775807", "bytes=-9223372036854775808",
    "bytes=9223372036854775806-9223372036854775807", "bytes=18446744073709551616-", "bytes=1-0",
    "bytes=0-0,2-2,4-4", "bytes=0-0,,1-1", "bytes=,", "bytes=", "bytes", "bytes=-", "bytes=a-b",
    "BYTES=0-1", "lines=0-1", "bytes = 0-1", "bytes=0 -1", "bytes=+1-2", "bytes=0x1-2",
    "bytes=0-1-2", "bytes=0-10,5-15,200-,-1",
    "bytes=0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-,0-", "bytes=100-200,0-50,51-99",
    "bytes=\t0-1\t,\t2-3", "bytes=--1", "bytes=1", "bytes=0-0;0-0",
    "bytes=1-1,130-130,259-259,388-388",
  ]

  static let headers = [
    "\"a\"", "W/\"a\"", "*", "\"a\", \"b\"", "\"\"", "\"", "W/", "W/*", "\"a", "\"a\"\"b\"", "a",
    ",,", "\"a,b\"", " * ", "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
    "Sun Nov  6 08:49:37 1994", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:00:00 GMT",
    "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT",
    "Mon, 01 Jan 0001 00:00:00 GMT", "Sun, 06 Nov 99999 08:49:37 GMT", "gzip", "gzip;q=0",
    "gzip;q=1.000", "gzip;q=1.001", "*;q=0.5", "identity;q=1, gzip;q=0.999", "gzip;q=", "gzip;;",
    ";q=1", "x-gzip", "GZIP ; Q=0.1", "q=1", "sort=name", "sort=size&order=desc", "sort=%00",
    "&&==", "bytes=0-0",
  ]
}

// The common parts of the listing pages. The Content-Security-Policy allows browsers only these
// texts, by their hashes; a test compares each hash with its text.

let listingStyle = """
  body { font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem;
  color: #222; background: #fff }
  h1 { font-size: 1.4rem; overflow-wrap: anywhere } h1 span { color: #999 }
  a { color: #0645ad; text-decoration: none } a:hover { text-decoration: underline }
  button { font: inherit; font-weight: bold; color: #0645ad; background: none; border: 0;
  padding: 0; cursor: pointer } button:hover { text-decoration: underline }
  table { border-collapse: collapse; width: 100% }
  th { text-align: left; border-bottom: 2px solid #ccc; white-space: nowrap }
  th, td { padding: .25rem 1rem .25rem 0 } th:last-child, td:last-child { padding-right: 0 }
  tbody tr:hover { background: #f2f5f9 }
  td { border-bottom: 1px solid #eee; overflow-wrap: anywhere }
  td + td, th + th { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
  .directory a { font-weight: 600 } .sum { color: #777; font-size: .9rem }
  #upload { border: 2px dashed #bbb; border-radius: .5rem; padding: 1rem; margin: 0 0 1rem;
  color: #777 }
  label { display: inline-block; padding: .25rem .75rem; margin-right: .5rem; border-radius: .25rem;
  color: #fff; background: #0645ad; cursor: pointer }
  label:focus-within { outline: 2px solid #8ab4f8; outline-offset: 2px }
  label input { position: absolute; opacity: 0; width: 1px }
  #upload.over { border-color: #0645ad; background: #f2f5f9 }
  #upload div { display: flex; gap: 1rem; align-items: center; margin-top: .5rem }
  #upload div span:first-child { flex: 1; overflow-wrap: anywhere } progress { width: 12rem }
  @media (max-width: 36rem) { body { margin-top: 1rem } table, thead, tbody { display: block }
  tr { display: flex; flex-wrap: wrap; gap: 0 1rem; padding: .25rem 0;
  border-bottom: 1px solid #eee }
  th, td { border: 0; padding: 0 } td:first-child { flex: 1 0 100% }
  td + td { color: #777; font-size: .9rem } td:empty { display: none } progress { width: 5rem } }
  @media (prefers-color-scheme: dark) { body { color: #ddd; background: #16181c }
  a, button { color: #8ab4f8 } th { border-color: #444 } tr, td { border-color: #2a2d33 }
  tbody tr:hover, #upload.over { background: #22252b } }
  """

let listingStyleHash = "sha256-l27KXLfh2CKoe1ndc2xFi9V7e0jt0fk0KrFt12wputs="

/// The buttons of the column heads belong to this form.
let sortForm = """
  <form id="order" rel="nofollow"></form>

  """

let unsortedNote = """
  <p class="sum">There are too many names to sort.</p>

  """

/// The form uploads each file with its own `PUT` request, which requires a script.
let uploadForm = """
  <form id="upload"><label>Upload files<input type="file" multiple></label> or drop them here
  <noscript><br>This needs JavaScript. Without: curl -T FILE URL</noscript></form>
  <script>\(uploadScript)</script>

  """

let uploadScript = """
  "use strict";
  const form = document.querySelector("#upload"), input = form.querySelector("input");
  let waiting = 0, sent = 0, failed = 0;
  function show(file) {
    const row = document.createElement("div"), name = document.createElement("span");
    const bar = document.createElement("progress"), state = document.createElement("span");
    name.textContent = file.name; bar.max = 1; bar.value = 0; state.textContent = "waiting";
    row.append(name, bar, state); form.append(row);
    return { bar, state };
  }
  function send(file) {
    const { bar, state } = show(file), directory = location.href.split(/[?#]/)[0];
    const target = new URL("./" + encodeURIComponent(file.name), directory);
    waiting += 1;
    const probe = new XMLHttpRequest();
    probe.open("HEAD", target);
    probe.setRequestHeader("Cache-Control", "no-cache");
    probe.onloadend = () => {
      const isNew = probe.status === 404;
      if (isNew || confirm(file.name + " exists. Replace it?"))
        put(file, target, isNew, bar, state);
      else { state.textContent = "not replaced"; waiting -= 1; ended(); }
    };
    probe.send();
  }
  function ended() { if (waiting === 0 && failed === 0 && sent > 0) location.reload(); }
  function put(file, target, isNew, bar, state) {
    const request = new XMLHttpRequest();
    request.open("PUT", target);
    if (isNew) request.setRequestHeader("If-None-Match", "*");
    request.upload.onprogress = e => {
      if (!e.lengthComputable) return;
      bar.value = e.loaded / e.total; state.textContent = Math.floor(bar.value * 100) + " %";
    };
    request.onloadend = () => {
      const done = request.status === 201 || request.status === 204;
      bar.value = done ? 1 : 0;
      state.textContent = done ? "done" : "failed: " + (request.statusText || "no connection");
      waiting -= 1; if (done) sent += 1; else failed += 1;
      ended();
    };
    request.send(file);
  }
  input.onchange = () => { for (const file of input.files) send(file); input.value = ""; };
  document.ondragover = e => { e.preventDefault(); form.classList.add("over"); };
  document.ondragleave = () => form.classList.remove("over");
  document.ondrop = e => {
    e.preventDefault(); form.classList.remove("over");
    for (const file of e.dataTransfer.files) send(file);
  };
  """

let uploadScriptHash = "sha256-f2KByQQq3h9ReG40SniZ5jI8hb+WkURQYeKbzwuEqJE="

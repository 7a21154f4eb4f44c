// What pages do better with scripts; all of them work without. Each part looks for its own mark and leaves other pages alone.
"use strict";

// Keeps the part of a page that is marked data-live up to date, and loads the whole page anew once there is nothing left to
// watch. Without scripts the page refreshes itself instead (see run.html).
(() => {
  const part = document.querySelector("[data-live]");
  if (!part) return;

  const look = async () => {
    try {
      const answer = await fetch(part.dataset.live, { headers: { Accept: "text/html" } });
      // Over, or logged out: the page itself knows what to say.
      if (answer.status === 401 || answer.headers.get("x-over") === "yes") {
        location.reload();
        return;
      }
      if (answer.ok) part.innerHTML = await answer.text();
    } catch {
      // The host is being restarted, or the network is away: the next look will tell.
    }
    setTimeout(look, 1000);
  };

  setTimeout(look, 1000);
})();

// Puts a file's text into the field beside it. Spreadsheets save CSV as UTF-8 or as Windows-1252; what is not the one is the
// other.
(() => {
  const text = (bytes) => {
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
      return new TextDecoder("windows-1252").decode(bytes);
    }
  };
  for (const part of document.querySelectorAll("[data-file]")) {
    const input = part.querySelector("[data-into]");
    part.hidden = false;
    input.addEventListener("change", async () => {
      const [file] = input.files;
      if (file) document.getElementById(input.dataset.into).value = text(await file.arrayBuffer());
    });
  }
})();

// One box that ticks all of a page.
(() => {
  const all = document.querySelector("[data-all]");
  if (!all) return;
  all.hidden = false;
  all.addEventListener("change", () => {
    for (const box of document.getElementsByName(all.dataset.all)) box.checked = all.checked;
  });
})();

(() => {
  const list = document.getElementById("mails");
  const note = document.getElementById("live");
  const say = (text, alive) => {
    if (note.lastChild.textContent === text) return;
    note.lastChild.textContent = text;
    note.firstChild.classList.toggle("off", !alive);
  };
  const links = (root) => [...root.querySelectorAll(".mails a")].map((link) => link.getAttribute("href"));
  const show = (fresh) => {
    const before = new Set(links(list));
    const focused = list.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const added = links(fresh).filter((href) => !before.has(href)).length;
    list.replaceChildren(...fresh.childNodes);
    [...list.querySelectorAll("a")].find((link) => link.getAttribute("href") === focused)?.focus();
    if (added) say(`${added} new mail${added === 1 ? "" : "s"} at ${new Date().toLocaleTimeString()}`, true);
  };
  const look = async () => {
    if (document.hidden) return;
    const answer = await fetch(location.href, { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.status);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("mails");
    if (fresh.innerHTML !== list.innerHTML) show(fresh);
    if (note.firstChild.classList.contains("off")) say("New mails appear by themselves", true);
  };
  const again = () => setTimeout(() => look().catch(() => say("The server does not answer; trying again", false)).finally(again), 2000);
  again();
})();

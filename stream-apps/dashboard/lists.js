// Small pieces of text and lists. Everything from outside goes through textContent.

const KINDS = {
  pre_alert: "break soon",
  limit_reached: "break now",
  violation: "violation",
  cleared: "cleared",
  retracted: "retracted",
};

export function age(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 120_000) return `${Math.round(ms / 1000)} s`;
  if (ms < 2 * 3_600_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 48 * 3_600_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${Math.round(ms / 86_400_000)} days`;
}

export function utc(ms) {
  const iso = new Date(ms).toISOString();
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC`;
}

export function alertItem(alert, onClick) {
  const item = document.createElement("li");
  const button = element("button", `alert ${alert.severity}${alert.is_retracted ? " retracted" : ""}`);
  button.type = "button";
  const top = element("div", "top");
  top.append(element("span", "kind", alert.is_retracted ? "retracted" : KINDS[alert.type] ?? alert.type));
  top.append(element("time", "", utc(alert.ts_ms)));
  const who = element("div", "who", alert.subject);
  if (alert.vehicle && alert.vehicle !== alert.subject) who.append(element("span", "", ` · ${alert.vehicle}`));
  button.append(top, who, element("div", "message", alert.message));
  if (onClick) button.addEventListener("click", onClick);
  item.append(button);
  return item;
}

export function fields(list, rows) {
  list.replaceChildren(...rows.flatMap(([name, value]) => [element("dt", "", name), element("dd", "", value)]));
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

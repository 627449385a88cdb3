// Puts the parts together: the feed fills the fleet, the map and the lists draw it.
// Text from the topics reaches the page through textContent only.

import { listen } from "./feed.js";
import { FleetMap } from "./map.js";
import { age, alertItem, fields, utc } from "./lists.js";

const SILENT_MS = 60_000; // a vehicle that has sent nothing for so long is drawn as silent
const ALERTS_SHOWN = 150;
// An alert marks its vehicle until the vehicle's own clock is so far past it.
const ALERT_MARKS_MS = 30 * 60_000;

const fleet = { vehicles: new Map(), alerts: new Map(), clockOffset: 0, selected: null };
const map = new FleetMap("map", select);
const at = (id) => document.getElementById(id);
const rate = { total: null, at: 0, shown: 0 };

const now = () => Date.now() + fleet.clockOffset;
const ageOf = (vehicle) => Math.max(0, now() - vehicle.sent_ms);
const stateOf = (vehicle) => (ageOf(vehicle) > SILENT_MS ? "silent" : vehicle.motion === "moving" ? "moving" : "still");

listen("api/events", {
  slice(slice) {
    fleet.clockOffset = slice.now_ms - Date.now();
    if (slice.is_snapshot) {
      fleet.vehicles.clear();
      fleet.alerts.clear();
      map.clear();
    }
    for (const vehicle of slice.vehicles) fleet.vehicles.set(vehicle.id, vehicle);
    for (const alert of slice.alerts) fleet.alerts.set(alert.id, alert);
    for (const vehicle of slice.vehicles) map.place(vehicle, stateOf(vehicle), markOf(vehicle));
    measureRate(slice);
    map.fitAtFirst();
    at("empty").hidden = fleet.vehicles.size > 0;
    if (slice.is_snapshot || slice.alerts.length > 0) drawAlerts();
    at("count-alerts").textContent = slice.alerts_total;
    drawNumbers();
    drawCard();
  },
  link(state, text) {
    at("link").className = `pill ${state}`;
    at("link").textContent = text;
  },
});

// Ages grow without any record arriving.
setInterval(() => {
  for (const vehicle of fleet.vehicles.values()) map.place(vehicle, stateOf(vehicle), markOf(vehicle));
  drawNumbers();
  drawCard();
}, 1000);

at("fit").addEventListener("click", () => map.fit());
at("card-close").addEventListener("click", () => select(null));
document.addEventListener("keydown", (event) => event.key === "Escape" && select(null));

function newestAlerts() {
  return [...fleet.alerts.values()].sort((a, b) => b.ts_ms - a.ts_ms || (a.id < b.id ? -1 : 1));
}

// The severity that a vehicle's newest alert still has, if any.
function markOf(vehicle) {
  let newest = null;
  for (const alert of fleet.alerts.values()) {
    if (alert.vehicle !== vehicle.id || alert.is_retracted) continue;
    if (Math.abs(vehicle.ts_ms - alert.ts_ms) > ALERT_MARKS_MS) continue;
    if (!newest || alert.ts_ms > newest.ts_ms) newest = alert;
  }
  return newest && newest.severity;
}

function measureRate(slice) {
  const seconds = (slice.now_ms - rate.at) / 1000;
  if (rate.total === null || slice.is_snapshot) {
    rate.total = slice.positions_total;
    rate.at = slice.now_ms;
  } else if (seconds >= 2) {
    rate.shown = (slice.positions_total - rate.total) / seconds;
    rate.total = slice.positions_total;
    rate.at = slice.now_ms;
  }
}

function drawNumbers() {
  const counts = { moving: 0, still: 0, silent: 0 };
  const ages = [];
  for (const vehicle of fleet.vehicles.values()) {
    const state = stateOf(vehicle);
    counts[state] += 1;
    if (state !== "silent") ages.push(ageOf(vehicle));
  }
  at("count-vehicles").textContent = fleet.vehicles.size;
  for (const state of Object.keys(counts)) at(`count-${state}`).textContent = counts[state];
  at("rate").textContent = rate.shown < 10 ? rate.shown.toFixed(1) : Math.round(rate.shown);
  ages.sort((a, b) => a - b);
  at("age").textContent = ages.length ? age(ages[Math.floor(ages.length / 2)]) : "–";
}

function drawAlerts() {
  const newest = newestAlerts().slice(0, ALERTS_SHOWN);
  at("alerts").replaceChildren(...newest.map((alert) => alertItem(alert, () => select(alert.vehicle, true))));
  at("no-alerts").hidden = newest.length > 0;
}

function select(id, follow = false) {
  fleet.selected = id && fleet.vehicles.has(id) ? id : null;
  map.select(fleet.selected, follow);
  drawCard();
}

function drawCard() {
  const vehicle = fleet.selected && fleet.vehicles.get(fleet.selected);
  at("card").hidden = !vehicle;
  if (!vehicle) return;
  at("card-title").textContent = vehicle.id;
  fields(at("card-fields"), [
    ["driver", vehicle.driver ?? "not known"],
    ["state", stateOf(vehicle)],
    ["speed", `${vehicle.speed_kmh.toFixed(0)} km/h`],
    ["heading", vehicle.heading_deg === undefined ? "–" : `${vehicle.heading_deg.toFixed(0)}°`],
    ["position", `${vehicle.lat.toFixed(5)}, ${vehicle.lon.toFixed(5)}`],
    ["fix", utc(vehicle.ts_ms)],
    ["sent", `${age(ageOf(vehicle))} ago`],
  ]);
  const own = newestAlerts().filter((alert) => alert.vehicle === vehicle.id).slice(0, 3);
  at("card-alerts").replaceChildren(...own.map((alert) => alertItem(alert)));
}

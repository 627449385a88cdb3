// The map: shapes from our own files, vehicles as arrows on one canvas.

const L = window.L;

const COLOURS = { moving: "#46c79a", still: "#e3b25c", silent: "#66727f" };
const MARKS = { info: "#6ba8e5", warning: "#e3b25c", critical: "#ef6a6a" };
const CITIES_FROM_ZOOM = 6;
const SETTLE_MS = 5_000; // vehicles that appear in the first seconds are still brought into view

// A circle marker that is drawn as an arrow, or as a dot where there is no heading.
const Arrow = L.CircleMarker.extend({
  _updatePath() {
    const renderer = this._renderer;
    if (!renderer._drawing || this._empty()) return;
    const { colour, mark, heading, isPerson, isSelected } = this.options;
    const context = renderer._ctx;
    context.save();
    context.translate(this._point.x, this._point.y);
    if (mark || isSelected) {
      context.beginPath();
      context.arc(0, 0, 13, 0, 2 * Math.PI);
      context.lineWidth = isSelected ? 2.5 : 2;
      context.strokeStyle = isSelected ? "#ffffff" : MARKS[mark];
      context.stroke();
    }
    context.beginPath();
    if (heading === undefined || isPerson) {
      context.arc(0, 0, isPerson ? 4.5 : 5.5, 0, 2 * Math.PI);
    } else {
      context.rotate((heading * Math.PI) / 180);
      context.moveTo(0, -9);
      context.lineTo(6, 7);
      context.lineTo(0, 3.5);
      context.lineTo(-6, 7);
      context.closePath();
    }
    context.fillStyle = colour;
    context.fill();
    context.lineWidth = 1.25;
    context.strokeStyle = isPerson ? "#ffffff" : "#0c1117";
    context.stroke();
    context.restore();
  },
});

export class FleetMap {
  constructor(element, onSelect) {
    this.onSelect = onSelect;
    this.markers = new Map();
    this.selected = null;
    this.firstFit = null;
    this.isMoved = false;
    this.map = L.map(element, {
      center: [48, 10],
      zoom: 5,
      minZoom: 2,
      maxZoom: 14,
      zoomSnap: 0.25, // the first view fills the space beside the panels
      zoomControl: false,
      maxBounds: [[-80, -200], [85, 200]],
      attributionControl: false,
      renderer: L.canvas({ padding: 0.3 }),
    });
    L.control.attribution({ prefix: false }).addTo(this.map).addAttribution("Natural Earth · GeoNames · Leaflet");
    for (const event of ["mousedown", "wheel", "touchstart", "keydown"]) {
      this.map.getContainer().addEventListener(event, () => (this.isMoved = true), { passive: true });
    }
    // A pane of its own below the vehicles, so that the shapes are not drawn again when one moves.
    for (const [pane, z] of [["land", 210], ["corridors", 220]]) {
      this.map.createPane(pane).style.zIndex = z;
    }
    this.map.on("click", () => this.onSelect(null));
    this.map.on("zoomend", () => this.showCities());
    this.showCities();
    this.drawShapes();
  }

  async drawShapes() {
    const load = async (path) => (await fetch(path)).json();
    const land = { fillColor: "#18222c", fillOpacity: 1, color: "#2c3a48", weight: 0.8 };
    const borders = { color: "#33424f", weight: 0.8, fill: false };
    L.geoJSON(await load("shapes/world.json"), {
      pane: "land",
      renderer: L.canvas({ pane: "land", padding: 0.3 }),
      interactive: false,
      style: (feature) => (feature.properties.part === "land" ? land : borders),
    }).addTo(this.map);
    const renderer = L.canvas({ pane: "corridors", padding: 0.3 });
    const city = { radius: 2, weight: 0, fillColor: "#5d6d7c", fillOpacity: 1, renderer, interactive: false };
    L.geoJSON(await load("shapes/corridors.json"), {
      pane: "corridors",
      renderer,
      interactive: false,
      style: { color: "#3d5a73", weight: 1.4, opacity: 0.75, dashArray: "5 5" },
      pointToLayer: (feature, where) =>
        L.circleMarker(where, city).bindTooltip(text(feature.properties.name), {
          permanent: true,
          direction: "right",
          className: "city",
          offset: [4, 0],
        }),
    }).addTo(this.map);
  }

  showCities() {
    this.map.getContainer().classList.toggle("far", this.map.getZoom() < CITIES_FROM_ZOOM);
  }

  clear() {
    for (const marker of this.markers.values()) marker.remove();
    this.markers.clear();
  }

  place(vehicle, state, mark) {
    const options = {
      colour: COLOURS[state],
      mark,
      heading: state === "still" ? undefined : vehicle.heading_deg,
      isPerson: vehicle.is_person,
      isSelected: vehicle.id === this.selected,
    };
    let marker = this.markers.get(vehicle.id);
    if (!marker) {
      marker = new Arrow([vehicle.lat, vehicle.lon], { ...options, radius: 9 });
      marker.bindTooltip("", { className: "label", direction: "top", offset: [0, -8] });
      marker.on("click", (event) => {
        L.DomEvent.stopPropagation(event);
        this.onSelect(vehicle.id);
      });
      marker.addTo(this.map);
      this.markers.set(vehicle.id, marker);
    } else {
      Object.assign(marker.options, options);
      marker.setLatLng([vehicle.lat, vehicle.lon]);
    }
    marker.setTooltipContent(text(`${vehicle.id} · ${vehicle.speed_kmh.toFixed(0)} km/h`));
  }

  select(id, follow) {
    for (const each of [this.selected, id]) {
      const marker = this.markers.get(each);
      if (!marker) continue;
      marker.options.isSelected = each === id;
      marker.redraw();
    }
    this.selected = id;
    if (id && follow) {
      this.isMoved = true;
      this.map.flyTo(this.markers.get(id).getLatLng(), Math.max(this.map.getZoom(), 8), { duration: 0.8 });
    }
  }

  fit() {
    const positions = [...this.markers.values()].map((marker) => marker.getLatLng());
    if (positions.length === 0) return;
    const isWide = window.matchMedia("(min-width: 981px)").matches;
    const [left, bottom] = isWide ? [40, 40] : [30, window.innerHeight * 0.34 + 30];
    this.map.fitBounds(L.latLngBounds(positions), {
      paddingTopLeft: [left, 90],
      paddingBottomRight: [isWide ? 400 : 30, bottom],
      maxZoom: 9,
      animate: false,
    });
  }

  // Brings the vehicles into view at the start, unless somebody has moved the map.
  fitAtFirst() {
    if (this.markers.size === 0 || this.isMoved) return;
    this.firstFit ??= Date.now();
    if (Date.now() - this.firstFit < SETTLE_MS) this.fit();
  }
}

// Leaflet takes a string for HTML; an element it takes as it is.
function text(content) {
  const span = document.createElement("span");
  span.textContent = content;
  return span;
}

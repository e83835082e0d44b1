"use strict";

const every = 2000;
const $ = (id) => document.getElementById(id);

function element(tag, text, className) {
  const made = document.createElement(tag);
  if (text !== undefined && text !== null) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function shown(value, unit, digits) {
  return value === null || value === undefined ? "–" : `${Number(value).toFixed(digits)} ${unit}`;
}

function duration(seconds) {
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function fact(label, value, className) {
  const box = element("div");
  box.append(element("span", label), element("b", value, className));
  return box;
}

function connector(state) {
  const box = element("div", null, "connector");
  const className = { charging: "flows", faulted: "bad", available: "good" }[state.status];
  box.append(fact(`Connector ${state.connector}`, state.status.replaceAll("_", " "), className));
  if (state.error !== "NoError") box.append(fact("Error", state.error, "bad"));
  box.append(fact("Power", shown(state.power, "W", 0)));
  box.append(fact("Current", shown(state.current, "A", 1)));
  box.append(fact("Energy", shown(state.energy_kwh, "kWh", 3)));
  if (state.session) {
    const running = state.session.ended_at === null;
    box.append(fact(running ? "This session" : "Last session", shown(state.session.energy_kwh, "kWh", 3)));
    box.append(fact("Time", duration(state.session.duration_s)));
    box.append(fact("Cost", `${state.session.cost.toFixed(2)} ${state.session.currency}`));
  }
  return box;
}

function charger(state) {
  const card = element("article");
  const what = [state.vendor, state.model, state.firmware].filter(Boolean).join(" ");
  const where = state.connected ? `connected from ${state.address}, OCPP ${state.ocpp_version}` : "not connected";
  card.append(element("h3", state.name), element("p", [where, what].filter(Boolean).join(" · ")));
  card.append(...state.connectors.map(connector));
  return card;
}

function stranger(known) {
  const item = element("li");
  const button = element("button", "Accept");
  button.addEventListener("click", async () => {
    await fetch("api/chargers/accept", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ charger: known.charger }),
    });
    refresh();
  });
  item.append(element("span", `${known.charger} from ${known.address} `), button);
  return item;
}

function session(state) {
  const row = element("tr");
  const ended = state.ended_at === null ? "running" : (state.reason || "").replaceAll("_", " ");
  for (const text of [
    new Date(state.started_at).toLocaleString(), state.charger, state.id_tag || "–", duration(state.duration_s),
    `${state.energy_kwh.toFixed(3)} kWh`, `${state.cost.toFixed(2)} ${state.currency}`, ended,
  ]) row.append(element("td", text));
  return row;
}

async function ask(path) {
  const answer = await fetch(path, { headers: { Accept: "application/json" } });
  if (answer.status === 401) location.reload();
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

async function refresh() {
  try {
    const [status, list] = await Promise.all([ask("status"), ask("sessions?limit=10")]);
    const chargers = Object.values(status.chargers);
    $("chargers").replaceChildren(...chargers.map(charger));
    $("none").hidden = chargers.length > 0;
    $("sessions").replaceChildren(...list.sessions.map(session));
    $("strangers").hidden = status.waiting.length === 0;
    $("strangers").querySelector("ul").replaceChildren(...status.waiting.map(stranger));
    $("line").textContent = status.mqtt.connected ? `MQTT ${status.mqtt.broker}` : "no MQTT broker";
    $("line").className = status.mqtt.connected ? "good" : "bad";
  } catch (error) {
    $("line").textContent = "the service does not answer";
    $("line").className = "bad";
  }
}

// In Home Assistant's sidebar the page's own port is Home Assistant's, where no charger is served.
const inSidebar = location.pathname.includes("/api/hassio_ingress/");
$("url").textContent = `ws://${location.hostname}:${inSidebar ? 9000 : location.port || 80}/charger/`;
refresh();
setInterval(refresh, every);

"use strict";

// The API for people, made of openapi.json. Every address is relative: ingress has a path of its own.

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

/** A text with `code` in it. */
function prose(tag, className, text) {
  const parts = text.split("`").map((part, index) => (index % 2 ? element("code", "", part) : part));
  return element(tag, className, ...parts);
}

let described = {};
const DEPTH = 5; // how far a schema is followed by itself

const nameOf = (schema) => schema.$ref && schema.$ref.split("/").pop();
const resolved = (schema) => (schema.$ref ? described.components.schemas[nameOf(schema)] : schema);

/** What a schema is of, without the null that it may be. */
function core(schema) {
  const choices = schema.anyOf?.filter((choice) => choice.type !== "null");
  return choices?.length === 1 ? { ...choices[0], description: schema.description } : schema;
}

function kind(given) {
  const schema = core(given);
  if (schema.$ref) return nameOf(schema);
  const types = [].concat(schema.type || "any");
  const plain = types.filter((type) => type !== "null");
  if (plain[0] === "array") return `list of ${kind(schema.items)}`;
  if (plain[0] === "object" && schema.additionalProperties && !schema.properties) return "object by key";
  return [schema.format || plain.join(" or "), types.includes("null") || schema !== given ? "or null" : ""].join(" ").trim();
}

/** The schema whose fields are to be shown below a field: of a list its items', of a map its values'. */
function inner(given) {
  const schema = resolved(core(given));
  if (schema.items) return inner(schema.items);
  if (schema.properties) return schema;
  return typeof schema.additionalProperties === "object" ? inner(schema.additionalProperties) : null;
}

function range(schema) {
  const at = core(schema);
  const between = at.minimum !== undefined ? [`from ${at.minimum}`, at.maximum !== undefined ? ` to ${at.maximum}` : ""].join("") : "";
  const usual = schema.default ? `usually ${schema.default}` : "";
  return [at.enum ? at.enum.filter((word) => word !== null).join(" · ") : "", between, usual].filter(Boolean).join("; ");
}

function field(name, schema, required, depth) {
  const below = depth < DEPTH ? inner(schema) : null;
  const about = [core(schema).description || (schema.$ref ? resolved(schema).description : ""), range(schema)].filter(Boolean);
  const head = element("div", "field", element("code", "name", name), element("span", "kind", kind(schema)),
    required ? null : element("span", "kind", "optional"));
  const item = element("li", "", head, about.length ? prose("p", "faint", about.join(" — ")) : null);
  if (below) item.append(folded("its fields", fields(below, depth + 1)));
  return item;
}

function fields(schema, depth = 0) {
  const required = new Set(schema.required || []);
  return element("ul", "fields", ...Object.entries(schema.properties)
    .map(([name, of]) => field(name, of, required.has(name), depth)));
}

/** Something to unfold. */
function folded(label, content) {
  return element("details", "inner", element("summary", "", label), content);
}

function parameters(operation) {
  if (!operation.parameters) return [];
  const items = operation.parameters.map((one) =>
    field(one.name, { ...one.schema, description: one.description }, one.required, DEPTH));
  return [element("h4", "", "Parameters"), element("ul", "fields", ...items)];
}

function body(operation) {
  if (!operation.requestBody) return [];
  const [media, content] = Object.entries(operation.requestBody.content)[0];
  const examples = Object.entries(content.examples || {}).map(([name, { value }]) =>
    element("li", "", element("span", "faint", name), element("pre", "", JSON.stringify(value))));
  return [element("h4", "", `Body (${media})`), fields(resolved(content.schema)),
    examples.length ? element("ul", "fields", ...examples) : null];
}

function answers(operation) {
  const items = Object.entries(operation.responses).map(([status, answer]) => {
    const item = element("li", "", element("div", "field", element("span", status < 400 ? "chip good" : "chip", status),
      prose("span", "", answer.description)));
    for (const [media, { schema }] of Object.entries(answer.content || {})) {
      if (nameOf(schema) === "Error") continue; // the same each time: told once, below
      const below = inner(schema);
      item.append(below ? folded(`${media}: ${nameOf(schema) || "object"}`, fields(below)) : element("p", "faint", media));
    }
    return item;
  });
  const error = JSON.stringify({ detail: "what was wrong, for people" });
  return [element("h4", "", "Answers"), element("ul", "fields", ...items),
    element("p", "faint", "An error's body is ", element("code", "", error), ".")];
}

/** How to ask from a shell: where the machine itself does, no token is needed. */
function example(method, path, operation) {
  const needed = (operation.parameters || []).filter((one) => one.in === "query" && one.required);
  const query = needed.map((one) => `${one.name}=2026-01`).join("&");
  const given = Object.values(Object.values(operation.requestBody?.content || {})[0]?.examples || {})[0];
  const address = new URL(`.${path}${query ? `?${query}` : ""}`, location.href);
  const parts = ["curl", operation.security ? "" : "-H 'Authorization: Bearer …'",
    given ? `--json '${JSON.stringify(given.value)}'` : "", `'${decodeURI(address.href)}'`];
  const shown = [element("h4", "", "Example"), element("pre", "", parts.filter(Boolean).join(" "))];
  if (method === "get" && !path.includes("{")) {
    const link = element("a", "try", "Try it");
    link.href = address.pathname + address.search;
    link.setAttribute("aria-label", `Try ${path}`);
    shown.push(link);
  }
  return shown;
}

function operationPart(method, path, operation) {
  const head = element("summary", "", element("span", `method ${method}`, method.toUpperCase()),
    element("code", "", path), element("span", "faint", operation.summary));
  const part = element("details", "card operation", head,
    operation.description ? prose("p", "", operation.description) : null,
    ...parameters(operation), ...body(operation), ...answers(operation), ...example(method, path, operation));
  part.id = `${method}${path}`;
  return part;
}

function groups() {
  const found = new Map();
  for (const [path, methods] of Object.entries(described.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags[0];
      if (!found.has(tag)) found.set(tag, []);
      found.get(tag).push(operationPart(method, path, operation));
    }
  }
  return found;
}

/** A link to a part of this page opens it. */
function unfold() {
  const part = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (part) part.open = true;
}

async function begin() {
  const answer = await fetch("openapi.json");
  if (answer.status === 401) location.reload(); // the login has run out
  described = await answer.json();
  const intro = described.info.description.split("\n\n").map((text) => prose("p", "", text));
  document.getElementById("introduction").append(...intro);
  const api = document.getElementById("api");
  for (const [tag, parts] of groups()) {
    const section = element("section", "", element("h2", "", tag), ...parts);
    api.append(section);
  }
  api.setAttribute("aria-busy", "false");
  unfold();
}

addEventListener("hashchange", unfold);
begin();

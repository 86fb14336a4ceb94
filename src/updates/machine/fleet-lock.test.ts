import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type RequestListener, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { DEFAULT_SETTINGS, type Settings } from "../config/settings.ts";
import { returnSlot, takeSlot } from "./fleet-lock.ts";
import { proxyFor } from "./server.ts";

interface Seen {
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: { readonly client_params: { readonly id: string; readonly group: string } };
}

/** A server of the protocol whose slots are in memory; `spoil` may answer in its place. */
function fleetServer(slots: number, spoil: (seen: Seen, count: number) => Reply | undefined) {
  const held = new Set<string>();
  const seen: Seen[] = [];
  const listener: RequestListener = async (request, response) => {
    let text = "";
    for await (const chunk of request) text += String(chunk);
    const it = { path: request.url ?? "", headers: request.headers, body: JSON.parse(text) };
    seen.push(it);
    const { status, body } = spoil(it, seen.length) ?? answer(it, held, slots);
    response.writeHead(status).end(body);
  };
  return { listener, seen, held };
}

interface Reply {
  readonly status: number;
  readonly body: string;
}

function answer({ path, headers, body }: Seen, held: Set<string>, slots: number): Reply {
  const refuse = (kind: string, value: string) => ({
    status: 409,
    body: JSON.stringify({ kind, value }),
  });
  if (headers["fleet-lock-protocol"] !== "true") return { status: 400, body: "" };
  const { id } = body.client_params;
  if (path.endsWith("/v1/steady-state")) held.delete(id);
  else if (!held.has(id) && held.size >= slots) return refuse("failed_lock", "all slots are taken");
  else held.add(id);
  return { status: 200, body: "" };
}

async function listen(server: Server | ReturnType<typeof createSecureServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

async function fleet(spoil: Parameters<typeof fleetServer>[1] = () => undefined, slots = 1) {
  const server = fleetServer(slots, spoil);
  const port = await listen(createServer(server.listener));
  return { ...server, port, base: `http://127.0.0.1:${port}/base/` };
}

interface Asked {
  readonly base: string;
  readonly id?: string;
  readonly settings?: Partial<Settings>;
  readonly env?: Readonly<Record<string, string>>;
  readonly root?: string;
}

function member({ base, id = "a", settings, env, root = "/nonexistent" }: Asked) {
  const pauses: number[] = [];
  const all: Settings = {
    ...DEFAULT_SETTINGS,
    "updates.strategy": "fleet_lock",
    "updates.fleet_lock.base_url": base,
    "identity.node_id": id,
    ...settings,
  };
  const surroundings = {
    random: () => 0.5,
    pause: async (milliseconds: number) => void pauses.push(milliseconds),
  };
  const { ctx } = scriptedContext(root, [], env === undefined ? {} : { env });
  const who = { settings: all, machineId: "m", surroundings };
  const ask = () => takeSlot(ctx, who);
  const take = async () => (await ask())?.reason;
  return { pauses, ask, take, giveBack: () => returnSlot(ctx, who) };
}

test("one machine has the slot, another waits, and a machine may ask again", async () => {
  const { base, seen } = await fleet();
  const [a, b] = [member({ base, id: "a" }), member({ base, id: "b" })];
  expect(await a.take()).toBeUndefined();
  expect(await b.take()).toBe("the server says: all slots are taken (failed_lock)");
  expect(await a.take()).toBeUndefined();
  expect(await a.giveBack()).toBeUndefined();
  expect(await a.giveBack()).toBeUndefined();
  expect(await b.take()).toBeUndefined();
  expect(seen[0]).toMatchObject({
    path: "/base/v1/pre-reboot",
    headers: { "fleet-lock-protocol": "true", "content-type": "application/json" },
    body: { client_params: { id: "a", group: "default" } },
  });
});

test("never two of twenty machines at once, in 2,000 steps", async () => {
  const { base, held } = await fleet();
  const machines = Array.from({ length: 20 }, (_, i) => member({ base, id: `m${i}` }));
  const holders = new Set<number>();
  let most = 0;
  const steps = machines.map(async (machine, i) => {
    for (let step = 0; step < 100; step += 1) {
      if (holders.has(i)) {
        holders.delete(i);
        await machine.giveBack();
      } else if ((await machine.take()) === undefined) holders.add(i);
      most = Math.max(most, holders.size, held.size);
    }
  });
  await Promise.all(steps);
  expect(most).toBe(1);
}, 60_000);

test("a server that stumbles is asked again, after pauses that grow", async () => {
  const { base } = await fleet((_, count) => (count < 4 ? { status: 502, body: "" } : undefined));
  const machine = member({ base });
  expect(await machine.take()).toBeUndefined();
  expect(machine.pauses).toEqual([1500, 3000, 6000]);
});

test.each([
  [503, "", "unexpected", "the server answers with status 503"],
  [500, '{"kind":"x","value":"etcd is away"}', "refused", "the server says: etcd is away (x)"],
  [409, "<html>", "unexpected", "the server answers with status 409"],
])("status %i with %j is a reason, and %s", async (status, body, kind, reason) => {
  const { base } = await fleet(() => ({ status, body }));
  expect(await member({ base }).ask()).toEqual({ kind, reason });
});

test.each([
  [404, "does not know the protocol's addresses"],
  [401, "refuses the credentials with status 401"],
])("status %i is an error", async (status, want) => {
  const { base } = await fleet(() => ({ status, body: "" }));
  await expect(member({ base }).take()).rejects.toThrow(want);
});

test("a server that is away is a network error, after four tries", async () => {
  const machine = member({ base: "http://127.0.0.1:9/" });
  await expect(machine.take()).rejects.toMatchObject({ kind: "network" });
  expect(machine.pauses).toHaveLength(3);
});

test("a server that never answers", async () => {
  const port = await listen(createServer(() => undefined));
  const settings = { "updates.fleet_lock.timeout_seconds": 0.05 };
  const machine = member({ base: `http://127.0.0.1:${port}`, settings });
  await expect(machine.take()).rejects.toThrow(/no answer in time/);
});

async function temporary(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "fleet-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

test("the password comes from a file, and is never in the address", async () => {
  const root = await temporary();
  await writeFile(join(root, "password"), "s:e\n");
  const { base, seen } = await fleet();
  const settings = {
    "updates.fleet_lock.user": "u",
    "updates.fleet_lock.password_file": "/password",
  };
  expect(await member({ base, root, settings }).take()).toBeUndefined();
  expect(seen[0]?.headers.authorization).toBe(`Basic ${btoa("u:s:e")}`);
});

test("TLS with one's own authority, also through a proxy; without it, the server is refused", async () => {
  const root = await temporary();
  const [key, cert] = [join(root, "key.pem"), join(root, "cert.pem")];
  execFileSync(
    "openssl",
    [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
      ...["-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=localhost"],
      ...["-addext", "subjectAltName=DNS:localhost"],
    ],
    { stdio: "ignore" },
  );
  const { listener } = fleetServer(1, () => undefined);
  const pair = { key: await readFile(key), cert: await readFile(cert) };
  const port = await listen(createSecureServer(pair, listener));
  const base = `https://localhost:${port}`;
  const settings = { "updates.fleet_lock.ca_file": "/cert.pem" };
  expect(await member({ base, root, settings }).take()).toBeUndefined();
  await expect(member({ base, root }).take()).rejects.toThrow(/certificate/);

  const asked: string[] = [];
  const proxy = createServer();
  proxy.on("connect", (request, socket) => {
    asked.push(`${request.url} ${request.headers["proxy-authorization"]}`);
    const onward = connect(port, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      onward.pipe(socket).pipe(onward);
    });
  });
  const env = { https_proxy: `http://p:w@127.0.0.1:${await listen(proxy)}` };
  expect(await member({ base, root, settings, env }).giveBack()).toBeUndefined();
  expect(asked).toEqual([`localhost:${port} Basic ${btoa("p:w")}`]);
});

test("plain HTTP through a proxy", async () => {
  const { seen, port } = await fleet();
  const env = { http_proxy: `http://127.0.0.1:${port}` };
  expect(await member({ base: "http://fleet.example", env }).take()).toBeUndefined();
  expect(seen[0]).toMatchObject({
    path: "http://fleet.example/v1/pre-reboot",
    headers: { host: "fleet.example" },
  });
});

test.each([
  ["https://a.example", { https_proxy: "http://p:3128" }, "http://p:3128/"],
  ["https://a.example", { HTTPS_PROXY: "p:3128" }, "http://p:3128/"],
  ["https://a.example", { https_proxy: "http://p", no_proxy: "b, .example" }, undefined],
  ["https://a.example", { https_proxy: "http://p", no_proxy: "ample" }, "http://p/"],
  ["https://a.example", { https_proxy: "http://p", NO_PROXY: "*" }, undefined],
  ["http://a.example", { HTTP_PROXY: "http://p" }, undefined],
  ["http://a.example", {}, undefined],
])("the proxy for %s in %j", (url, env, want) => {
  expect(proxyFor(new URL(url), env)?.href).toBe(want);
});

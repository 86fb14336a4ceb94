import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { BootcError } from "../../src/errors.ts";
import { createContext } from "../../src/system/run.ts";
import type { Tree } from "../task.ts";
import { fetchPackage, fetchPackages } from "./fetch.ts";

const GOOD = Buffer.from("a tarball");
const INTEGRITY = `sha512-${createHash("sha512").update(GOOD).digest("base64")}`;

let server: Server;
let asked: string[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    const url = request.url ?? "";
    asked.push(`${request.headers.authorization ?? "-"} ${url}`);
    const isFlaky = url.includes("flaky") && asked.filter((it) => it.endsWith(url)).length === 1;
    response.statusCode = isFlaky
      ? 503
      : url.includes("secret")
        ? 401
        : url.includes("gone")
          ? 404
          : 200;
    response.end(url.includes("bad") ? "something else" : GOOD);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});

afterAll(() => {
  server.close();
});

function port(): number {
  return (server.address() as AddressInfo).port;
}

interface Configured {
  /** What npm prints of its configuration. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Lines of the file that npm says is the user's. */
  readonly userconfig?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  readonly note?: (text: string) => void;
}

/** A checkout whose npm is configured like that. */
function treeOf({ settings, userconfig = [], env = {}, note, signal }: Configured): Tree {
  asked = [];
  const top = mkdtempSync(join(tmpdir(), "fetch-"));
  const file = join(top, "userconfig");
  writeFileSync(file, userconfig.map((it) => `${it}\n`).join(""));
  // A proxy of whoever runs the tests is not asked for our own server.
  const defaults = { noproxy: ["127.0.0.1", "localhost"], userconfig: file };
  const read = async () => JSON.stringify({ ...defaults, ...settings });
  const ctx = createContext({ env, ...(signal === undefined ? {} : { signal }) });
  return { ctx: { ...ctx, read, note: note ?? (() => {}) }, top, mayInstall: false };
}

/** A checkout whose npm is configured for our own server. */
function freshTree(): Tree {
  const registry = `http://127.0.0.1:${port()}/npm/`;
  return treeOf({ settings: { registry }, userconfig: [`${registry.slice(5)}:_authToken=tok`] });
}

test("a package is fetched once, with credentials, and its path is reported", async () => {
  const tree = freshTree();
  const wanted = { name: "@a/b", version: "1.0.0", integrity: INTEGRITY };
  const path = await fetchPackage(tree, wanted);
  expect(readFileSync(path)).toEqual(GOOD);
  expect(await fetchPackages(tree, [wanted, wanted])).toEqual([path, path]);
  expect(asked).toEqual(["Bearer tok /npm/@a/b/-/b-1.0.0.tgz"]);
});

test("a damaged file of the cache is not trusted", async () => {
  const tree = freshTree();
  const wanted = { name: "a", version: "1.0.0", integrity: INTEGRITY };
  const path = await fetchPackage(tree, wanted);
  writeFileSync(path, "damaged");
  expect(readFileSync(await fetchPackage(tree, wanted))).toEqual(GOOD);
  expect(asked).toHaveLength(2);
});

test("a server that is busy is asked again", async () => {
  const tree = freshTree();
  await fetchPackage(tree, { name: "flaky", version: "1.0.0", integrity: INTEGRITY });
  expect(asked).toHaveLength(2);
});

test.each([
  {
    name: "bad",
    kind: "integrity",
    text: "`bad@1.0.0` is not what the lockfile says: want sha512-",
  },
  { name: "secret", kind: "authentication", text: "fetching `secret@1.0.0`" },
  { name: "gone", kind: "failed", text: "fetching `gone@1.0.0`" },
])("$name: fails with $kind and keeps nothing", async ({ name, kind, text }) => {
  const tree = freshTree();
  const work = fetchPackages(tree, [{ name, version: "1.0.0", integrity: INTEGRITY }]);
  await expect(work).rejects.toMatchObject({ kind, message: expect.stringContaining(text) });
  expect(readdirSync(tree.top)).toEqual(["userconfig"]);
});

test("offline, what is not in the cache is named", async () => {
  const wanted = { name: "a", version: "1.0.0", integrity: INTEGRITY };
  const work = fetchPackage(freshTree(), wanted, { isOffline: true });
  await expect(work).rejects.toThrow("`a@1.0.0` is not in the cache");
});

test("SHA-1 alone is refused", async () => {
  const weak = { name: "a", version: "1", integrity: "sha1-AAAA" };
  await expect(fetchPackage(freshTree(), weak)).rejects.toThrow(
    "the integrity of `a@1` is not a SHA-2 digest",
  );
});

test("of two digests of one strength either is enough, from the network and from the cache", async () => {
  const tree = freshTree();
  const other = `sha512-${createHash("sha512").update("other").digest("base64")}`;
  const wanted = { name: "a", version: "1.0.0", integrity: `${other} ${INTEGRITY}` };
  const path = await fetchPackage(tree, wanted);
  expect(await fetchPackage(tree, wanted, { isOffline: true })).toBe(path);
  expect(asked).toHaveLength(1);
});

/** A package that no cache has; where it was asked for, and with which credentials. */
async function askedFor(tree: Tree, name: string, version = "1.0.0"): Promise<readonly string[]> {
  asked = [];
  await fetchPackage(tree, { name, version, integrity: INTEGRITY });
  return asked;
}

test("addresses and credentials follow npm's configuration", async () => {
  const host = `127.0.0.1:${port()}`;
  const tree = treeOf({
    settings: {
      registry: `http://${host}/one/npm/`,
      "@mine:registry": `http://${host}/two`,
      "@free:registry": `http://localhost:${port()}/three`,
    },
    userconfig: [
      `//${host}/one/:_authToken=outer`,
      `//${host}/one/npm/:_authToken="\${TOK}"`,
      `//${host}/two/:_auth=eA==`,
    ],
    env: { TOK: "inner" },
  });
  expect(await askedFor(tree, "a")).toEqual(["Bearer inner /one/npm/a/-/a-1.0.0.tgz"]);
  expect(await askedFor(tree, "@mine/b", "2.0.0-rc.1")).toEqual([
    "Basic eA== /two/@mine/b/-/b-2.0.0-rc.1.tgz",
  ]);
  expect(await askedFor(tree, "@free/c")).toEqual(["- /three/@free/c/-/c-1.0.0.tgz"]);
});

test.each([
  {
    what: "a name and a password",
    lines: (host: string) => [
      `//${host}/npm/:username=me`,
      `//${host}/npm/:_password=${Buffer.from("secret!").toString("base64")}`,
    ],
    want: `Basic ${Buffer.from("me:secret!").toString("base64")}`,
  },
  {
    what: "a token with spaces around the sign, and a comment",
    lines: (host: string) => ["; mine", `//${host}/npm/:_authToken = tok`],
    want: "Bearer tok",
  },
])("$what: as npm reads it", async ({ lines, want }) => {
  const host = `127.0.0.1:${port()}`;
  const settings = { registry: `http://${host}/npm/` };
  const tree = treeOf({ settings, userconfig: lines(host) });
  expect(await askedFor(tree, "a")).toEqual([`${want} /npm/a/-/a-1.0.0.tgz`]);
});

test("credentials in the environment, as automation has them", async () => {
  const host = `127.0.0.1:${port()}`;
  const tree = treeOf({
    settings: { registry: `http://${host}/npm/` },
    env: { [`npm_config_//${host}/npm/:_authToken`]: "ci" },
  });
  expect(await askedFor(tree, "a")).toEqual(["Bearer ci /npm/a/-/a-1.0.0.tgz"]);
});

test("a proxy is asked for the whole address, but not for what npm leaves out", async () => {
  const settings = {
    registry: "http://registry.example/npm/",
    "@near:registry": `http://127.0.0.1:${port()}/near/`,
    proxy: `http://127.0.0.1:${port()}`,
    noproxy: ["127.0.0.1"],
  };
  const tree = treeOf({ settings });
  expect(await askedFor(tree, "a")).toEqual(["- http://registry.example/npm/a/-/a-1.0.0.tgz"]);
  expect(await askedFor(tree, "@near/a")).toEqual(["- /near/@near/a/-/a-1.0.0.tgz"]);
});

test("nobody listens: the host and the reason, and an interrupt ends the waiting", async () => {
  const interrupt = new AbortController();
  const notes: string[] = [];
  const note = (text: string) => {
    notes.push(text);
    if (text.includes("trying again")) interrupt.abort(new BootcError("interrupted"));
  };
  const settings = { registry: "http://127.0.0.1:1/npm/" };
  const tree = treeOf({ settings, signal: interrupt.signal, note });
  const work = fetchPackage(tree, { name: "a", version: "1.0.0", integrity: INTEGRITY });
  await expect(work).rejects.toMatchObject({ cause: { message: "interrupted" } });
  expect(notes).toEqual([
    "fetching packages that are not in the cache yet",
    expect.stringMatching(/^a@1\.0\.0: .*cannot reach 127\.0\.0\.1:1: .*; trying again$/),
  ]);
});

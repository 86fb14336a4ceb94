import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createContext } from "../../src/system/run.ts";
import type { Tree } from "../task.ts";
import { decideCredentials, formatTarballUrl, parseCredentials } from "./config.ts";
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

/** A checkout whose npm is configured for our own server. */
function freshTree(): Tree {
  asked = [];
  const top = mkdtempSync(join(tmpdir(), "fetch-"));
  const registry = `http://127.0.0.1:${(server.address() as AddressInfo).port}/npm/`;
  const read = async () => JSON.stringify({ registry, userconfig: join(top, "userconfig") });
  writeFileSync(join(top, "userconfig"), `${registry.slice(5)}:_authToken=tok\n`);
  return { ctx: { ...createContext({ env: {} }), read, note: () => {} }, top, mayInstall: false };
}

test("a package is fetched once, with credentials, and its path is told", async () => {
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

test("addresses and credentials follow npm's configuration", () => {
  const config = {
    settings: { registry: "https://one.example/npm/", "@mine:registry": "https://two.example" },
    credentials: parseCredentials(
      `//one.example/:_authToken=outer\n//one.example/npm/:_authToken="\${TOK}"\n//two.example/:_auth=eA==\n`,
      { TOK: "inner" },
    ),
  };
  const first = formatTarballUrl(config, "a", "1.0.0");
  const second = formatTarballUrl(config, "@mine/b", "2.0.0-rc.1");
  expect([first, decideCredentials(config, first)]).toEqual([
    "https://one.example/npm/a/-/a-1.0.0.tgz",
    "Bearer inner",
  ]);
  expect([second, decideCredentials(config, second)]).toEqual([
    "https://two.example/@mine/b/-/b-2.0.0-rc.1.tgz",
    "Basic eA==",
  ]);
  expect(decideCredentials(config, "https://three.example/x")).toBeUndefined();
});

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { createContext } from "../../system/run.ts";
import { openImage, type ProxyOptions } from "./proxy.ts";
import { isTransient, type SkopeoSource } from "./skopeo.ts";

const SOURCE: SkopeoSource = {
  image: { transport: "registry", name: "quay.io/example/os" },
  access: { isAnonymous: true },
  policyFile: "/policy.json",
};
const OK = '{"success":true,"value":"0.2.8","pipeid":0,"error":""}';

/** Opens the image with a skopeo that runs these shell commands: `answer TEXT` reads a question first. */
function open(commands: string, options: Partial<ProxyOptions> = {}) {
  const dir = mkdtempSync(join(tmpdir(), "proxy-"));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  const log = join(dir, "log");
  const script = `#!/bin/sh
echo "$@" >${log}
hear() { dd bs=32768 count=1 status=none <&3 >>${log}; echo >>${log}; }
answer() { hear; printf %s "$1" >&3; }
${commands}
`;
  writeFileSync(join(dir, "skopeo"), script, { mode: 0o755 });
  const ctx = createContext({ env: { ...process.env, PATH: `${dir}:${process.env.PATH ?? ""}` } });
  const opened = openImage(ctx, SOURCE, { hasPolicy: true, timeoutMs: 30_000, ...options });
  return { opened, heard: () => readFileSync(log, "utf8").trim().split("\n") };
}

const fail = (text: string) =>
  `answer '{"success":false,"value":null,"pipeid":0,"error":"${text}"}'`;

test.each([
  ["manifest unknown", "failed", false],
  ["received unexpected HTTP status: 503 Service Unavailable", "network", true],
  ["unauthorized: authentication required", "authentication", false],
  ["registry quay.io is blocked in /etc/containers/registries.conf", "policy", false],
])("an image that cannot be opened for `%s` fails as %s", async (text, kind, mayPass) => {
  const { opened, heard } = open(`answer '${OK}'; ${fail(`reading it: ${text}`)}; hear`);
  const error = await opened.catch((it: unknown) => it);
  expect(error).toMatchObject({
    message: expect.stringContaining(`skopeo cannot get \`docker://quay.io/example/os\`: `),
    kind,
  });
  expect(isTransient(error)).toBe(mayPass);
  expect(heard().slice(0, 3)).toEqual([
    "--policy=/policy.json experimental-image-proxy --sockfd=3 --no-creds",
    '{"method":"Initialize","args":[]}',
    '{"method":"OpenImage","args":["docker://quay.io/example/os"]}',
  ]);
});

test("the image is asked for before the first answer, so that skopeo need not wait for us", async () => {
  const no = '{"success":false,"value":null,"pipeid":0,"error":"no"}';
  const commands = `hear; hear; printf %s '${OK}' >&3; printf %s '${no}' >&3; hear`;
  const { opened } = open(commands, { timeoutMs: 10_000 });
  await expect(opened).rejects.toThrow(": no");
});

test("an image that is not called 1 is asked for its manifest once more", async () => {
  const opened = '{"success":true,"value":7,"pipeid":0,"error":""}';
  const { opened: never, heard } = open(
    `answer '${OK}'; answer '${opened}'; ${fail("no image 1")}; ${fail("no")}; hear`,
  );
  await expect(never).rejects.toThrow(": no");
  expect(heard().slice(3)).toEqual([
    '{"method":"GetManifest","args":[1]}',
    '{"method":"GetManifest","args":[7]}',
  ]);
});

test("only to look, it is told to accept everything, as inspect does", async () => {
  const { opened, heard } = open(`answer '${OK}'; ${fail("no")}; hear`, { hasPolicy: false });
  await expect(opened).rejects.toThrow(": no");
  expect(heard()[0]).toMatch(/^--insecure-policy experimental-image-proxy /);
});

test.each([
  ["does not know the command", "echo unknown command >&2; exit 1"],
  ["refuses to begin", fail("invalid policy")],
  ["ends at once", "exit 0"],
])("where skopeo %s there is no proxy", async (_what, commands) => {
  await expect(open(commands).opened).resolves.toBeUndefined();
});

test("where the door is shut there is no proxy, and skopeo is not started", async () => {
  vi.stubEnv("BOOTC_WITHOUT_FFI", "1");
  onTestFinished(() => void vi.unstubAllEnvs());
  const { opened, heard } = open("exit 0");
  await expect(opened).resolves.toBeUndefined();
  expect(heard).toThrow("ENOENT");
});

test("a proxy that does not answer is ended, which is a failure that may pass", async () => {
  const { opened } = open(`answer '${OK}'; hear; exec sleep 60`, { timeoutMs: 1500 });
  const error = await opened.catch((it: unknown) => it);
  expect(error).toMatchObject({
    message: "`docker://quay.io/example/os` does not answer",
    kind: "network",
  });
  expect(isTransient(error)).toBe(true);
});

test("a proxy that dies says why", async () => {
  const words = 'time="…" level=fatal msg="no space left on device"';
  const { opened } = open(`answer '${OK}'; hear; echo '${words}' >&2; exit 1`);
  await expect(opened).rejects.toMatchObject({ kind: "space" });
});

test.each([
  ["no JSON", "certainly"],
  ["no object", "[]"],
  ["no reason", '{"success":false}'],
  ["no pipe", OK],
])("an answer with %s is malformed", async (_what, text) => {
  const { opened } = open(`answer '${OK}'${`; answer '${text}'`.repeat(3)}; hear`);
  await expect(opened).rejects.toMatchObject({
    message: expect.stringMatching(/^the answer of skopeo's image proxy is (?:malformed|not)/),
    kind: "integrity",
  });
});

// The door, with a stand-in for npm that notes how it was started and makes a tree of our choice.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, expect, test } from "vitest";

const scratch = mkdtempSync(join(tmpdir(), "run-test-"));
afterAll(() => rmSync(scratch, { recursive: true }));

const RUNTIME = `node-linux-${process.arch}`;
const LOCK = {
  lockfileVersion: 3,
  packages: {
    "": { name: "x" },
    "node_modules/plain": { version: "1.0.0" },
    "node_modules/tool": { version: "2.0.0", dev: true },
    "node_modules/tool/node_modules/plain": { version: "0.9.0", dev: true },
    [`node_modules/${RUNTIME}`]: { version: "26.0.0", os: "linux", optional: true },
    "node_modules/native-here": { version: "3.0.0", optional: true, os: ["linux"] },
    "node_modules/native-elsewhere": { version: "3.0.0", optional: true, os: ["!linux"] },
    "node_modules/needed-elsewhere": { version: "3.0.0", optional: true },
  },
};
const WHOLE = ["plain@1.0.0", "tool@2.0.0", "tool/node_modules/plain@0.9.0"];
const NATIVE = [`${RUNTIME}@26.0.0`, "native-here@3.0.0"];

/** Says where the machine's configuration lies; otherwise makes $INSTALLS and notes how it was asked. */
const NPM = `#!/bin/sh
if [ "$1" = config ]; then echo "$MACHINE_CONFIG"; exit; fi
echo "$*" > "$NOTES/args"
tr "\\0" "\\n" < /proc/$$/environ > "$NOTES/env"
for it in "$@"; do case $it in
    --userconfig=*) cp "\${it#*=}" "$NOTES/user"; dirname "\${it#*=}" > "$NOTES/folder";;
    --globalconfig=*) cp "\${it#*=}" "$NOTES/machine";;
esac; done
if [ -n "$HANGS" ]; then echo hanging >&2; exec sleep 600; fi
rm -rf node_modules
for it in $INSTALLS; do
    mkdir -p "node_modules/\${it%@*}"
    echo "{\\"version\\":\\"\${it#*@}\\"}" > "node_modules/\${it%@*}/package.json"
done
mkdir -p node_modules/${RUNTIME}/bin
printf '#!/bin/sh\\nshift; echo "ran $*"\\n' > node_modules/${RUNTIME}/bin/node
chmod +x node_modules/${RUNTIME}/bin/node
echo "$INSTALLS" > node_modules/.package-lock.json
`;

interface Door {
  readonly top: string;
  readonly notes: string;
  readonly env: NodeJS.ProcessEnv;
}

/** A checkout with nothing but the door and a lockfile, in the environment of nobody. */
function freshDoor(): Door {
  const top = mkdtempSync(join(scratch, "top-"));
  const [notes, bin, tmp] = ["notes", "bin", "tmp"].map((it) => join(top, it)) as [
    string,
    string,
    string,
  ];
  for (const it of [notes, bin, tmp]) mkdirSync(it);
  cpSync(import.meta.dirname, join(top, "xtask"), {
    recursive: true,
    filter: (it) => /xtask$|install$|\.cjs$/.test(it),
  });
  writeFileSync(join(top, "package.json"), "{}");
  writeFileSync(join(top, "package-lock.json"), JSON.stringify(LOCK));
  writeFileSync(join(bin, "npm"), NPM);
  chmodSync(join(bin, "npm"), 0o755);
  const env = {
    PATH: `${bin}:${process.env.PATH}`,
    HOME: top,
    TMPDIR: tmp,
    NOTES: notes,
    MACHINE_CONFIG: join(top, "machine"),
    INSTALLS: [...WHOLE, ...NATIVE].join(" "),
  };
  return { top, notes, env };
}

function run({ top, env }: Door, more: NodeJS.ProcessEnv = {}) {
  const args = [join(top, "xtask/run.cjs"), "lint"];
  const options = { cwd: top, encoding: "utf8", env: { ...env, ...more } } as const;
  const { status, stdout, stderr } = spawnSync("node", args, options);
  return { status, stdout, stderr };
}

const noted = ({ notes }: Door, name: string) => readFileSync(join(notes, name), "utf8");
const RAN = { status: 0, stdout: "ran lint\n" };

test("a fresh checkout installs, and an installed one does not", () => {
  const door = freshDoor();
  expect(run(door)).toMatchObject(RAN);
  expect(noted(door, "args")).toContain("--include=dev --include=optional --include=peer");
  rmSync(join(door.notes, "args"));
  expect(run(door)).toEqual({ ...RAN, stderr: "" });
  expect(existsSync(join(door.notes, "args"))).toBe(false);
});

test("no setting of the environment reaches `npm ci` but where packages come from", () => {
  const door = freshDoor();
  const harmful = {
    NODE_ENV: "production",
    npm_config_omit: "dev",
    NPM_CONFIG_OMIT: "optional",
    npm_config_engine_strict: "true",
    npm_config_loglevel: "verbose",
    npm_config_dry_run: "true",
    npm_config_global: "true",
    npm_config_package_lock: "false",
    npm_config_prefix: "/nowhere",
    npm_config_cpu: "arm64",
    npm_config_yes: "true",
    npm_config_offline: "true",
  };
  const carried = {
    npm_config_registry: "https://one.example/",
    "npm_config_//one.example/:_authToken": "tok",
    npm_config_https_proxy: "http://proxy.example/",
    NPM_CONFIG_CAFILE: "/ca.pem",
    npm_config_strict_ssl: "false",
    npm_config_cache: "/cache",
    HTTPS_PROXY: "http://proxy.example/",
  };
  expect(run(door, { ...harmful, ...carried })).toMatchObject(RAN);
  const got = noted(door, "env")
    .split("\n")
    .filter((it) => /^(npm_config|node_env|https_proxy)/i.test(it));
  expect(got.toSorted()).toEqual([
    "HTTPS_PROXY=http://proxy.example/",
    "NPM_CONFIG_CAFILE=/ca.pem",
    "npm_config_//one.example/:_authToken=tok",
    "npm_config_cache=/cache",
    "npm_config_https_proxy=http://proxy.example/",
    "npm_config_prefer_offline=true",
    "npm_config_registry=https://one.example/",
    "npm_config_strict_ssl=false",
  ]);
});

test("nor does one of a file, the user's or the machine's", () => {
  const door = freshDoor();
  const user = [
    "; mine",
    "registry = https://one.example/",
    "@mine:registry=https://two.example/",
    `//one.example/:_authToken="\${TOK}"`,
    "omit[]=dev",
    "omit = optional",
    "engine-strict=true",
    "ignore-scripts=false",
    "prefix=/nowhere",
    "yes=true",
    "offline",
    'ca[]="one"',
    "[section]",
    "registry=https://three.example/",
  ];
  writeFileSync(join(door.top, ".npmrc"), user.join("\r\n"));
  writeFileSync(join(door.top, "machine"), "cafile=/ca.pem\nproduction=true\n");
  expect(run(door)).toMatchObject(RAN);
  expect(noted(door, "user").split("\n")).toEqual([
    "registry = https://one.example/",
    "@mine:registry=https://two.example/",
    `//one.example/:_authToken="\${TOK}"`,
    "prefer-offline",
    'ca[]="one"',
    "",
  ]);
  expect(noted(door, "machine")).toBe("cafile=/ca.pem\n");
  // They hold credentials.
  expect(existsSync(noted(door, "folder").trim())).toBe(false);
});

test("the files that the environment names are the ones read", () => {
  const door = freshDoor();
  writeFileSync(join(door.top, "a"), "registry=https://a.example/\n");
  writeFileSync(join(door.top, "b"), "registry=https://b.example/\nlong=true\n");
  const env = { npm_config_userconfig: join(door.top, "a"), NPM_CONFIG_GLOBALCONFIG: "b" };
  expect(run(door, env)).toMatchObject(RAN);
  expect([noted(door, "user"), noted(door, "machine")]).toEqual([
    "registry=https://a.example/\n",
    "registry=https://b.example/\n",
  ]);
});

test.each([
  { what: "what is for developing", installs: ["plain@1.0.0", ...NATIVE], want: "tool@2.0.0" },
  { what: "a nested package", installs: [...WHOLE.slice(0, 2), ...NATIVE], want: "plain@0.9.0" },
  {
    what: "what runs here alone",
    installs: [...WHOLE, ...NATIVE.slice(0, 1)],
    want: "native-here",
  },
  { what: "the runtime", installs: [...WHOLE, ...NATIVE.slice(1)], want: RUNTIME },
  {
    what: "a version",
    installs: ["plain@1.0.1", ...WHOLE.slice(1), ...NATIVE],
    want: "plain@1.0.0",
  },
])("$what left out by an npm that succeeds is an error, every time", ({ installs, want }) => {
  const door = freshDoor();
  for (const _ of ["first", "again"]) {
    const { status, stdout, stderr } = run(door, { INSTALLS: installs.join(" ") });
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toContain(`error: \`npm ci\` left out \`${want}`);
    expect(stderr).toMatch(/\nhint: [^\n]+\n$/);
  }
  expect(run(door)).toMatchObject(RAN);
});

test("a tree that npm changed afterwards is installed anew", () => {
  const door = freshDoor();
  expect(run(door)).toMatchObject(RAN);
  writeFileSync(join(door.top, "node_modules/.package-lock.json"), "npm prune --omit=dev");
  const { stderr, ...rest } = run(door);
  expect(rest).toEqual(RAN);
  expect(stderr).toContain("installing the locked dependencies");
});

test.each(["SIGINT", "SIGTERM"] as const)(
  "%s ends npm, and leaves no credentials",
  async (name) => {
    const door = freshDoor();
    const child = spawn("node", [join(door.top, "xtask/run.cjs"), "lint"], {
      env: { ...door.env, HANGS: "1" },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const said = text(child.stderr);
    await once(child.stderr, "data");
    while (!existsSync(join(door.notes, "folder"))) await once(child.stderr, "data");
    child.kill(name);
    const [status] = (await once(child, "exit")) as [number | null];
    expect(status).toBe(1);
    expect(await said).toContain("error: interrupted while installing the dependencies\nhint: ");
    expect(readdirSync(String(door.env.TMPDIR))).toEqual([]);
  },
);

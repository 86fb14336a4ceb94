import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { scriptedContext } from "../../testing/scripted-context.ts";
import { acceptsAllOf, requirePolicyFile, requireSecureDefault } from "./policy.ts";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "bootc-policy-"));
});
afterEach(() => rmSync(root, { recursive: true }));

function write(path: string, text = "{}"): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

/** The policy in force below `root`; `$` in the environment stands for that. */
async function find(env: Readonly<Record<string, string>> = {}): Promise<string> {
  const there = Object.entries(env).map(([name, it]) => [name, it.replace("$", root)]);
  const { ctx } = scriptedContext(root, [], { env: Object.fromEntries(there) });
  return (await requirePolicyFile(ctx)).replace(root, "$");
}

const USER = "home/.config/containers/policy.json";
const MACHINE = "etc/containers/policy.json";
const DISTRIBUTION = "usr/share/containers/policy.json";

test("a machine without a policy has none that accepts everything: it is an error", async () => {
  await expect(find()).rejects.toMatchObject({
    message: "there is no containers policy.json",
    kind: "policy",
  });
});

test("one that is named and not there is an error, whatever the machine has", async () => {
  write(MACHINE);
  await expect(find({ CONTAINERS_POLICY_JSON: "$/none.json" })).rejects.toMatchObject({
    message: `\`${root}/none.json\`, named by CONTAINERS_POLICY_JSON, does not exist`,
    kind: "policy",
  });
});

test.each<[string, readonly string[], Readonly<Record<string, string>>, string]>([
  ["the distribution's when there is no other", [DISTRIBUTION], {}, DISTRIBUTION],
  ["the machine's before it", [DISTRIBUTION, MACHINE], {}, MACHINE],
  ["the user's before that", [MACHINE, USER], { HOME: "$/home" }, USER],
  [
    "in the folder for settings when there is one",
    [MACHINE, USER, "cfg/containers/policy.json"],
    { HOME: "$/home", XDG_CONFIG_HOME: "$/cfg" },
    "cfg/containers/policy.json",
  ],
  [
    "the named one before all",
    [MACHINE, "p.json"],
    { CONTAINERS_POLICY_JSON: "$/p.json" },
    "p.json",
  ],
  ["nothing is named by an empty name", [MACHINE], { CONTAINERS_POLICY_JSON: "" }, MACHINE],
])("in force is %s", async (_, files, env, want) => {
  for (const it of files) write(it);
  expect(await find(env)).toBe(`$/${want}`);
});

test.each(["{", "[]", ""])("a document that is not a policy is not in force: %j", async (text) => {
  write(MACHINE, text);
  await expect(find()).rejects.toMatchObject({ kind: "policy" });
});

const ACCEPT = { type: "insecureAcceptAnything" };

test.each<[string, unknown, boolean]>([
  ["accepts everything", { default: [ACCEPT] }, false],
  ["rejects", { default: [{ type: "reject" }] }, true],
  ["demands a signature as well", { default: [ACCEPT, { type: "signedBy" }] }, true],
  ["is not there, and so rejects", { transports: { docker: { "": [ACCEPT] } } }, true],
])("a default that %s: secure is %3$s", async (_, policy, isSecure) => {
  write(MACHINE, JSON.stringify(policy));
  const checked = requireSecureDefault(join(root, MACHINE));
  if (isSecure) await checked;
  else await expect(checked).rejects.toMatchObject({ kind: "policy" });
});

const ACCEPTED = [ACCEPT];
const SIGNED = [{ type: "signedBy", keyType: "GPGKeys", keyPath: "/key" }];

test.each<[string, boolean, Readonly<Record<string, unknown>>]>([
  ["accepts everything", true, { default: ACCEPTED }],
  ["rejects by default", false, { default: [{ type: "reject" }] }],
  ["has no default", false, {}],
  ["has an empty default", false, { default: [] }],
  ["accepts this and rejects the rest", false, withScope("", SIGNED)],
  ["has a requirement besides", false, { default: [...ACCEPTED, ...SIGNED] }],
  ["wants signatures of other registries", true, withScope("registry.example.com/os", SIGNED)],
  ["wants signatures of the registry", false, withScope("quay.io", SIGNED)],
  ["wants signatures of an image there", false, withScope("quay.io/example/os:latest", SIGNED)],
  ["wants signatures of a whole domain", false, withScope("*.io", SIGNED)],
  ["accepts the registry by name", true, withScope("quay.io", ACCEPTED)],
  ["cares for other transports", true, { default: ACCEPTED, transports: { oci: { "": SIGNED } } }],
  ["has a part that we do not know", false, { default: ACCEPTED, exceptions: [] }],
  ["has transports that are none", false, { default: ACCEPTED, transports: [] }],
  ["has scopes that are none", false, { default: ACCEPTED, transports: { docker: [] } }],
])("a policy that %s accepts all of quay.io: %s", async (_what, accepts, policy) => {
  write("policy.json", JSON.stringify(policy));
  expect(await acceptsAllOf(join(root, "policy.json"), "quay.io")).toBe(accepts);
});

function withScope(scope: string, requirements: readonly unknown[]) {
  return { default: ACCEPTED, transports: { docker: { [scope]: requirements } } };
}

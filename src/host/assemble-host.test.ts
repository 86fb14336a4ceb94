import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import { HOST_SCHEMA } from "../format/schema/host.ts";
import { parseOstreeReference } from "../image/reference.ts";
import { deployment as sampleDeployment } from "../testing/deployment.ts";
import { assembleHost, onlyBooted } from "./assemble-host.ts";
import type { Deployment, Sysroot } from "./deployment.ts";
import { formatHumanStatus } from "./human-status.ts";

const image = parseOstreeReference("ostree-unverified-registry:quay.io/example/os:latest");

const content = (digit: string, version: string | null = "1.0") => ({
  digest: `sha256:${digit.repeat(64)}`,
  version,
  timestamp: "2026-11-23T15:50:43.500Z",
  architecture: "amd64",
  layers: [],
});

const deployment = (digit: string, changes: Partial<Deployment> = {}): Deployment =>
  sampleDeployment(digit, {
    origin: { image, refspec: undefined, isIncompatible: false },
    content: content(digit),
    ...changes,
  });

const sysroot = (deployments: readonly Deployment[], more: Partial<Sysroot> = {}): Sysroot => ({
  deployments,
  unreadable: [],
  isReadOnly: false,
  entriesReadAt: undefined,
  ...more,
});

const staged = deployment("c", { isStaged: true });
const booted = deployment("b", { isBooted: true });
const older = deployment("a");
const plain = {
  origin: { image: undefined, refspec: "x", isIncompatible: false },
  content: undefined,
};

describe("slots", () => {
  test.each([
    { deployments: [booted], want: [undefined, "b", undefined, 0, false] },
    { deployments: [booted, older], want: [undefined, "b", "a", 0, false] },
    { deployments: [staged, booted, older], want: ["c", "b", "a", 0, false] },
    { deployments: [older, booted], want: [undefined, "b", "a", 0, true] },
    {
      deployments: [deployment("d", { stateroot: "other" }), booted, older, deployment("e")],
      want: [undefined, "b", "a", 2, false],
    },
    { deployments: [older], want: [undefined, undefined, undefined, 1, false] },
  ])("of $deployments.length deployments: $want", ({ deployments, want }) => {
    const { status, spec } = assembleHost(sysroot(deployments));
    const digit = (it: typeof status.staged) => it?.ostree?.checksum[0];
    expect([
      digit(status.staged),
      digit(status.booted),
      digit(status.rollback),
      status.otherDeployments?.length ?? 0,
      status.rollbackQueued,
    ]).toEqual(want);
    expect(spec.bootOrder).toBe(status.rollbackQueued ? "rollback" : "default");
  });
});

test.each([
  ["development", { accessMode: "readWrite", persistence: "transient" }],
  ["hotfix", { accessMode: "readWrite", persistence: "persistent" }],
  ["transient", { accessMode: "readOnly", persistence: "transient" }],
  ["none", null],
] as const)("a deployment unlocked as %s has the overlay %j", (unlocked, want) => {
  const host = assembleHost(sysroot([{ ...booted, unlocked }]));
  expect(host.status.usrOverlay).toEqual(want);
});

test("the spec names the staged image, else the booted one, else none", () => {
  const other = parseOstreeReference("ostree-image-signed:oci:/x");
  const changed = { ...staged, origin: { ...staged.origin, image: other } };
  expect(assembleHost(sysroot([changed, booted])).spec.image).toEqual({
    image: "/x",
    transport: "oci",
    signature: "containerPolicy",
  });
  expect(assembleHost(sysroot([booted])).spec.image?.image).toBe("quay.io/example/os:latest");
  const host = assembleHost(sysroot([{ ...booted, ...plain }]));
  expect([host.spec.image, host.status.type]).toEqual([null, null]);
});

test("only the booted one: the others are left out", () => {
  const host = onlyBooted(assembleHost(sysroot([staged, older, booted, deployment("e")])));
  expect(host.status).toMatchObject({ staged: null, rollback: null, rollbackQueued: false });
  expect(host.status).not.toHaveProperty("otherDeployments");
  expect(host.spec.bootOrder).toBe("default");
});

test("whatever a host holds, its document is valid", () => {
  const validate = new Ajv2020({ strict: false, validateFormats: false }).compile(HOST_SCHEMA);
  const host = assembleHost(
    sysroot(
      [
        { ...staged, isLocked: true },
        { ...booted, unlocked: "hotfix", cachedUpdate: content("f", null) },
        { ...older, ...plain, isPinned: true, problems: ["its commit cannot be read"] },
      ],
      {
        unreadable: [{ name: "ostree-3.conf", problem: "it does not name a deployment" }],
        entriesReadAt: "2026-11-23T15:50:43Z",
        isReadOnly: true,
      },
    ),
  );
  expect(validate(host), JSON.stringify(validate.errors)).toBe(true);
});

const human = (deployments: readonly Deployment[], isVerbose = false) =>
  `\n${formatHumanStatus(assembleHost(sysroot(deployments)), { isVerbose })}\n`;

test("people see staged, booted, rollback and others in this order", () => {
  const other = deployment("e", { stateroot: "other", isPinned: true });
  expect(human([staged, booted, older, other])).toMatchInlineSnapshot(`
    "
      Staged image: quay.io/example/os:latest
            Digest: sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc (amd64)
           Version: 1.0 (2026-11-23T15:50:43Z)

    ● Booted image: quay.io/example/os:latest
            Digest: sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb (amd64)
           Version: 1.0 (2026-11-23T15:50:43Z)

      Rollback image: quay.io/example/os:latest
              Digest: sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa (amd64)
             Version: 1.0 (2026-11-23T15:50:43Z)

       Other image: quay.io/example/os:latest
            Digest: sha256:eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee (amd64)
           Version: 1.0 (2026-11-23T15:50:43Z)
            Pinned: yes
    "
  `);
});

test("people see more with --verbose", () => {
  const signed = parseOstreeReference("ostree-remote-registry:fedora:quay.io/example/os:latest");
  const origin = { ...booted.origin, image: signed };
  const deployments = [
    { ...staged, isLocked: true },
    { ...booted, origin, unlocked: "transient" as const },
  ];
  expect(human(deployments, true)).toMatchInlineSnapshot(`
    "
      Staged image: quay.io/example/os:latest
            Digest: sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc (amd64)
           Version: 1.0 (2026-11-23T15:50:43Z)
         StateRoot: default
     Deploy serial: 0
            Staged: yes
            Commit: cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc
       Soft-reboot: no
     Download-only: yes

    ● Booted image: quay.io/example/os:latest
            Digest: sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb (amd64)
           Version: 1.0 (2026-11-23T15:50:43Z)
      /usr overlay: transient, read-only
         StateRoot: default
     Deploy serial: 0
            Staged: no
            Commit: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
         Signature: ostree-remote:fedora
       Soft-reboot: no
    "
  `);
});

test("people see an update that was found, with and without a version", () => {
  expect(human([{ ...booted, cachedUpdate: content("f", "1.1") }])).toMatchInlineSnapshot(`
    "
    ● Booted image: quay.io/example/os:latest
            Digest: sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb (amd64)
           Version: 1.0 (2026-11-23T15:50:43Z)
     UpdateVersion: 1.1 (2026-11-23T15:50:43Z)
      UpdateDigest: sha256:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
    "
  `);
  expect(human([{ ...booted, cachedUpdate: content("f", null) }])).toMatchInlineSnapshot(`
    "
    ● Booted image: quay.io/example/os:latest
            Digest: sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb (amd64)
           Version: 1.0 (2026-11-23T15:50:43Z)
            Update: Available
      UpdateDigest: sha256:ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff
    "
  `);
  expect(human([{ ...booted, cachedUpdate: content("b") }])).not.toContain("Update");
});

test("an image without a version shows when it was made, or nothing", () => {
  expect(human([{ ...booted, content: content("b", null) }])).toMatchInlineSnapshot(`
    "
    ● Booted image: quay.io/example/os:latest
            Digest: sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb (amd64)
         Timestamp: 2026-11-23T15:50:43Z
    "
  `);
  const bare = { ...content("b", null), timestamp: null };
  expect(human([{ ...booted, content: bare }])).toMatchInlineSnapshot(`
    "
    ● Booted image: quay.io/example/os:latest
            Digest: sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb (amd64)
    "
  `);
});

test("deployments without an image show their commit, odd ones their problem", () => {
  const odd = {
    ...older,
    ...plain,
    isPinned: true,
    problems: ["its origin cannot be read: EACCES"],
  };
  const host = assembleHost(
    sysroot([{ ...booted, ...plain, unlocked: "development" }, odd], {
      unreadable: [{ name: "ostree-3.conf", problem: "it does not name a deployment" }],
    }),
  );
  expect(`\n${formatHumanStatus(host, { isVerbose: false })}\n`).toMatchInlineSnapshot(`
    "
    ● Booted ostree
             Commit: bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb
       /usr overlay: transient, read/write

      Rollback ostree
               Commit: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
               Pinned: yes
              Problem: its origin cannot be read: EACCES

     Other entry
         Problem: ostree-3.conf: it does not name a deployment
    "
  `);
});

test("without any deployment there is one line to read", () => {
  expect(human([])).toBe("\nSystem is not deployed via bootc.\n");
});

test("if no deployment is the booted one, all are shown below that line", () => {
  expect(human([older]).split("\n").slice(0, 4)).toEqual([
    "",
    "System is not deployed via bootc.",
    "",
    "   Other image: quay.io/example/os:latest",
  ]);
});

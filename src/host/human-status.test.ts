import { expect, test } from "vitest";
import type { BootEntry, HostDocument } from "./document.ts";
import { formatHumanStatus } from "./human-status.ts";

/** What of a host document the text of its booted deployment is made of. */
function format(image: Readonly<Record<string, unknown>>, rest: Partial<BootEntry> = {}): string {
  const booted = {
    image: {
      image: { image: "quay.io/example/os", transport: "registry" },
      imageDigest: `sha256:${"a".repeat(64)}`,
      architecture: "amd64",
      version: null,
      timestamp: null,
      ...image,
    },
    cachedUpdate: null,
    pinned: false,
    ...rest,
  };
  const host = { status: { staged: null, booted, rollback: null, usrOverlay: null } };
  return formatHumanStatus(host as unknown as HostDocument, { isVerbose: false });
}

// The labels of an image are its author's: they must not draw on the terminal, nor look like another row.
test.each([
  ["a version", () => format({ version: "42\u001b[2J\n  Digest: sha256:0" }), "Version"],
  [
    "the version of an update",
    () =>
      format(
        {},
        {
          cachedUpdate: {
            version: "42\u001b[2J\n  Digest: sha256:0",
            timestamp: null,
            imageDigest: "x",
          } as never,
        },
      ),
    "UpdateVersion",
  ],
  ["a creation time", () => format({ timestamp: "42\u001b[2J\n  Digest: sha256:0" }), "Timestamp"],
  ["an architecture", () => format({ architecture: "42\u001b[2J\n  Digest: sha256:0" }), "Digest"],
  ["a problem", () => format({}, { problems: ["42\u001b[2J\n  Digest: sha256:0"] }), "Problem"],
])("%s out of an image stays in its row, without controls", (_, make, label) => {
  const rows = make().split("\n");
  const row = rows.find((it) => it.trimStart().startsWith(`${label}:`));
  expect(row).toContain("42\\u001b[2J\\u000a  Digest: sha256:0");
  expect(rows.some((it) => it.trim() === "Digest: sha256:0")).toBe(false);
});

test("so does a name in the heading", () => {
  const image = { image: "quay.io/\u001b[2J\nx", transport: "oci" };
  expect(format({ image }).split("\n")[0]).toBe("● Booted image: oci:quay.io/\\u001b[2J\\u000ax");
});

test("the pin of an update's run says when it goes, and one of a person does not", () => {
  expect(format({}, { pinned: true })).toMatch(/Pinned: yes$/);
  const text = format({}, { pinned: true, superseded: true });
  expect(text).toMatch(/Pinned: until the update has proved itself; then it is removed$/);
});

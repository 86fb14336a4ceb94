import { expect, test } from "vitest";
import type { Verification } from "../image/reference.ts";
import type { PlannedLayer } from "../repository/images.ts";
import { type ScriptLine, scriptedContext } from "../testing/scripted-context.ts";
import { makeImage, makeLayer } from "../testing/stored-image.ts";
import type { FetchPlan } from "./plan/plan.ts";
import { requireVouched } from "./vouched.ts";

const BASE = makeLayer("base");
const KEYS = { kind: "remote", remote: "keys" } as const;
const VERIFY =
  "+ ostree pull-local --repo=/repo --gpg-verify --remote=keys --commit-metadata-only /repo";

/** A plan for an image of one layer, which the repository may have already. */
function planOf(verification: Verification, layer: Partial<PlannedLayer>): FetchPlan {
  const image = { transport: "registry", name: "quay.io/example/os" } as const;
  const { manifestDigest } = makeImage([BASE]);
  const manifest = {
    schemaVersion: 2,
    config: { mediaType: "", digest: "", size: 0 },
    layers: [],
  } as const;
  const config = { architecture: "amd64", os: "linux", rootfs: { diff_ids: [] } };
  return {
    kind: "fetch",
    request: { repo: "/repo", reference: { image, verification }, requiresBootable: false },
    image,
    source: { image, access: {}, policyFile: "" },
    offered: { manifestDigest, manifest, config },
    stored: undefined,
    layers: [{ ...BASE, kind: "commit", commit: undefined, ...layer }],
  };
}

async function vouch(plan: FetchPlan, script: readonly ScriptLine[], imported?: string) {
  const { ctx, requireAllUsed } = scriptedContext("/nowhere", script);
  const commits = imported === undefined ? undefined : new Map([[BASE.digest, imported]]);
  await requireVouched(ctx, plan, commits);
  requireAllUsed();
}

test.each(["none", "policy"] as const)("no keys are asked under `%s`", async (kind) => {
  await vouch(planOf({ kind }, {}), []);
});

test("the keys of a remote are asked about the commit that the repository has", async () => {
  await vouch(planOf(KEYS, { commit: "there" }), [[`${VERIFY} there`]]);
});

test("the keys of a remote are asked about the commit that was just imported", async () => {
  await vouch(planOf(KEYS, {}), [[`${VERIFY} imported`]], "imported");
});

test("what the keys do not vouch for is refused", async () => {
  const refused = new Error("no signature");
  await expect(vouch(planOf(KEYS, { commit: "c" }), [[`${VERIFY} c`, refused]])).rejects.toThrow(
    "no signature",
  );
});

test("without a commit nobody can vouch, and that is an error", async () => {
  await expect(vouch(planOf(KEYS, { kind: "derived", commit: "c" }), [])).rejects.toThrow(
    "no commit to vouch for",
  );
});

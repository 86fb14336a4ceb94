// Which image is installed: one that is named, or that of the podman container we run in.
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { BootcError, doing } from "../errors.ts";
import { type ImageReference, parseImageReference } from "../image/reference.ts";
import { readHostImageDigest } from "../programs/podman.ts";
import type { Context } from "../system/context.ts";
import { readFileIfAny } from "../system/files.ts";
import { requireRoot } from "../system/privileges.ts";

export interface InstallSource {
  readonly image: ImageReference;
  /** The name a target is followed by when no other is given: without a digest. */
  readonly name: string;
  /** We run inside the image that is installed. */
  readonly isOwnContainer: boolean;
}

/** Finds the source; refuses containers from which nothing can be installed. */
export async function requireSource(
  ctx: Context,
  sourceImgref: string | undefined,
): Promise<InstallSource> {
  if (sourceImgref !== undefined) {
    await requireRoot(ctx);
    const image = parseImageReference(sourceImgref);
    return { image, name: image.name, isOwnContainer: false };
  }
  const text = await readFileIfAny(join(ctx.root, "run/.containerenv"));
  if (text === undefined) {
    throw new BootcError(
      "Either --source-imgref must be defined or this command must be executed inside a podman container",
      { kind: "usage", hint: "for example --source-imgref docker://quay.io/example/os:latest" },
    );
  }
  await requireRoot(ctx);
  await requireHostProcesses();
  return await readOwnImage(ctx, requireContainer(parseContainerEnv(text)));
}

async function requireHostProcesses(): Promise<void> {
  if ((await stat("/proc/1")).uid !== 0) {
    throw new BootcError("The host's user namespace is not that of root", {
      hint: "run podman as root",
    });
  }
  // Alone in a process namespace of its own, the container cannot reach the host's podman.
  if (process.pid === 1) {
    throw new BootcError("The container does not see the host's processes", {
      hint: "run the container with `podman run --pid=host`",
    });
  }
}

/** What podman writes into a container's /run/.containerenv. */
export interface ContainerEnv {
  readonly engine: string;
  readonly image: string;
  readonly imageId: string;
  readonly isRootless: boolean;
}

/** Parses lines of `key="value"`. */
export function parseContainerEnv(text: string): ContainerEnv {
  const value = (key: string) =>
    new RegExp(`^${key}=(?:"(.*)"|(\\S*))$`, "m").exec(text)?.slice(1).find(Boolean) ?? "";
  return {
    engine: value("engine"),
    image: value("image"),
    imageId: value("imageid"),
    isRootless: value("rootless") === "1",
  };
}

/** Refuses what upstream refuses: rootless podman, other engines, an unknown image. */
export function requireContainer(it: ContainerEnv): ContainerEnv {
  if (it.isRootless) {
    throw new BootcError("Cannot install from rootless podman; this command must be run as root", {
      hint: "run podman as root",
    });
  }
  if (!it.engine.startsWith("podman")) {
    throw new BootcError(`Cannot install from the container engine \`${it.engine}\``, {
      kind: "unsupported",
      hint: "use podman, or name the image with --source-imgref",
    });
  }
  if (it.imageId === "") {
    throw new BootcError("the container does not say which image it was made of", {
      hint: "run the container with `podman run --privileged`",
    });
  }
  return it;
}

async function readOwnImage(ctx: Context, env: ContainerEnv): Promise<InstallSource> {
  const digest = await doing(`looking for the image of this container, ${env.imageId}`, () =>
    // The image is in the host's storage, so the host's podman is asked.
    readHostImageDigest(ctx, env.imageId),
  );
  const name = env.image.replace(/@sha256:[0-9a-f]+$/, "");
  // A tag and a digest together are one name too many for the container storage.
  const bare = name.replace(/:[^:/]+$/, "");
  const image = { transport: "containers-storage" as const, name: `${bare}@${digest}` };
  return { image, name, isOwnContainer: true };
}

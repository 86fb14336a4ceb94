// Reads an ostree repository's files: refs and metadata objects. No process, no lock.
import { BootcError } from "../errors.ts";

/** All refs below `prefix` (`ostree/container/image`), full name -> commit. Empty when there are none. */
export async function readRefs(
  _repo: string,
  _prefix: string,
): Promise<ReadonlyMap<string, string>> {
  throw new BootcError("refs cannot be read yet");
}

/** The commit `ref` points to; undefined when there is no such ref. */
export async function readRef(_repo: string, _ref: string): Promise<string | undefined> {
  throw new BootcError("refs cannot be read yet");
}

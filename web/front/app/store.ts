import { useEffect, useState } from "preact/hooks";

/** A value that components follow. */
export class Store<T> {
  #followers = new Set<(value: T) => void>();
  constructor(public value: T) {}

  /** Changes the value and tells the followers, unless it is the same. */
  set(value: T): void {
    if (Object.is(value, this.value)) return;
    this.value = value;
    for (const follower of [...this.#followers]) follower(value);
  }

  /** Calls follower at every change until the returned function is called. */
  follow(follower: (value: T) => void): () => void {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }
}

/** The value of a store; the component renders again when it changes. */
export function useStore<T>(store: Store<T>): T {
  const [value, setValue] = useState(store.value);
  useEffect(() => {
    setValue(() => store.value);
    return store.follow((next) => setValue(() => next));
  }, [store]);
  return value;
}

import { expect, test } from 'vitest'
import { SpinPolicy } from '../../../shim/fuse/spin.ts'

test('waits awake only while requests keep coming', () => {
  const spin = new SpinPolicy(20)
  expect(spin.windowUs).toBe(0)
  spin.observe(60)
  expect(spin.windowUs).toBe(30)
  spin.observe(1000)
  expect(spin.windowUs).toBe(0)
  spin.observe(10)
  expect(spin.windowUs).toBe(20)
  spin.observe(Infinity)
  expect(spin.windowUs).toBe(0)
})

test('grows to 2.5 times what was asked for, and no further', () => {
  const spin = new SpinPolicy(20)
  for (let round = 0; round < 10; round += 1) spin.observe(140)
  expect(spin.windowUs).toBe(50)
  spin.observe(49)
  expect(spin.windowUs).toBe(50)
})

test('can be switched off', () => {
  const spin = new SpinPolicy(0)
  spin.observe(1)
  expect(spin.windowUs).toBe(0)
})

test('sleeps at once while requests come as soon as it sleeps, and no sooner', () => {
  const spin = new SpinPolicy(20)
  spin.observe(60)
  // It looked for them in vain, each time.
  for (const window of [30, 45, 50]) {
    expect(spin.windowUs).toBe(window)
    spin.observe(window + 15)
  }
  expect(spin.windowUs).toBe(0)
  for (let round = 0; round < 5; round += 1) spin.observe(15)
  expect(spin.windowUs).toBe(0)
  // Two threads had to be woken for it.
  spin.observe(60)
  expect(spin.windowUs).toBe(50)
  for (let round = 0; round < 5; round += 1) spin.observe(40)
  expect(spin.windowUs).toBe(50)
  // One that comes too late by much is no sign of anything.
  for (let round = 0; round < 9; round += 1) {
    spin.observe(40)
    spin.observe(70)
  }
  expect(spin.windowUs).toBe(50)
})

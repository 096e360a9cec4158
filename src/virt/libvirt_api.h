/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * libvirt's library, loaded when it is first needed: a host without libvirt, such as one of
 * Proxmox, needs none of it, nor of the fifty libraries that it brings along. Its functions are
 * called as sym_virConnectOpen() and so on, after libvirt_load() has returned 0.
 */

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#define LIBVIRT_LIBRARY "libvirt.so.0"

#define LIBVIRT_FUNCTIONS(X)                                                                       \
	X(virConnectClose)                                                                         \
	X(virConnectDomainEventDeregisterAny)                                                      \
	X(virConnectDomainEventRegisterAny)                                                        \
	X(virConnectIsAlive)                                                                       \
	X(virConnectListAllDomains)                                                                \
	X(virConnectOpen)                                                                          \
	X(virConnectOpenReadOnly)                                                                  \
	X(virConnectRegisterCloseCallback)                                                         \
	X(virConnectSetKeepAlive)                                                                  \
	X(virConnectUnregisterCloseCallback)                                                       \
	X(virDomainAttachDeviceFlags)                                                              \
	X(virDomainDefineXML)                                                                      \
	X(virDomainDetachDeviceFlags)                                                              \
	X(virDomainFree)                                                                           \
	X(virDomainGetConnect)                                                                     \
	X(virDomainGetMetadata)                                                                    \
	X(virDomainGetName)                                                                        \
	X(virDomainGetState)                                                                       \
	X(virDomainGetUUIDString)                                                                  \
	X(virDomainGetXMLDesc)                                                                     \
	X(virDomainHasManagedSaveImage)                                                            \
	X(virDomainIsActive)                                                                       \
	X(virDomainIsPersistent)                                                                   \
	X(virDomainLookupByName)                                                                   \
	X(virDomainLookupByUUIDString)                                                             \
	X(virEventAddHandle)                                                                       \
	X(virEventAddTimeout)                                                                      \
	X(virEventRegisterDefaultImpl)                                                             \
	X(virEventRemoveHandle)                                                                    \
	X(virEventRunDefaultImpl)                                                                  \
	X(virEventUpdateTimeout)                                                                   \
	X(virGetLastError)                                                                         \
	X(virGetLastErrorMessage)                                                                  \
	X(virInitialize)                                                                           \
	X(virSetErrorFunc)

#define LIBVIRT_DECLARE(name) extern __typeof__(name) *sym_##name;
LIBVIRT_FUNCTIONS(LIBVIRT_DECLARE)
#undef LIBVIRT_DECLARE

/**
 * Loads it, once for the whole process, and for ever: it has threads and thread-local data.
 * Returns 0; -ELIBACC when it is not installed, or lacks a function.
 */
int libvirt_load(void);

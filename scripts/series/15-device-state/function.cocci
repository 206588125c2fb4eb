// The probe does not touch what a held device is doing.
//
// only: >=6.12
// file: drivers/iommu/intel/iommu.c
// matches: prepare 1
// matches[>=6.15]: prepare 0
// matches: prepare_checked 0
// matches[>=6.15]: prepare_checked 1
// matches: pasid 1
// matches[>=6.15]: pasid 0

@prepare@
identifier pdev, dev;
expression shift;
position p;
@@
  intel_iommu_probe_device(struct device *dev)
  {
  <...
- pci_prepare_ats@p(pdev, shift);
+ if (!intel_takeover_leaves_function(dev))
+ 	pci_prepare_ats(pdev, shift);
  ...>
  }

@prepare_checked@
identifier pdev, dev, ret;
expression shift;
position p;
@@
  intel_iommu_probe_device(struct device *dev)
  {
  <...
- ret = pci_prepare_ats@p(pdev, shift);
+ ret = 0;
+ if (!intel_takeover_leaves_function(dev))
+ 	ret = pci_prepare_ats(pdev, shift);
  ...>
  }

@pasid@
identifier dev, info, pdev;
expression features;
statement S;
position p;
@@
  intel_iommu_probe_device(struct device *dev)
  {
  <...
  if (
- 	info->pasid_supported@p &&
+ 	info->pasid_supported && !intel_takeover_leaves_function(dev) &&
  	!pci_enable_pasid(pdev, features))
  S
  ...>
  }

// Where a workgroup is among all of a dispatch that may have been folded into two dimensions.

fn linear_group(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.x + group.y * groups.x;
}

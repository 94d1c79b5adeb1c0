/* SPDX-License-Identifier: Apache-2.0 */
/* sg-real: mode=emit exit=1 */
int main(void)
{
	return undeclared + "text" * 2;
}
